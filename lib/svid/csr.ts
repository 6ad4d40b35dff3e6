import type { KeyObject } from 'node:crypto';

export type Csr = { readonly der: Uint8Array; readonly pem: string };
export declare function createCsr(privateKey: KeyObject): Csr;
