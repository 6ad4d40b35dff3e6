import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSpiffeId } from '../lib/spiffe/index.ts';
import type { Svid } from '../sidecar/identity/credentials.ts';

const DAY_MS = 24 * 3_600_000;

/** What a broker would have brought: the SVID of that name from the benchmark's folder. */
export function identityFrom(folder: string, name: 'server' | 'client'): Svid {
  const read = (file: string) => readFileSync(join(folder, file), 'utf8');
  return {
    id: parseSpiffeId(read(`${name}.id`).trim()),
    serial: '00',
    key: createPrivateKey(read(`${name}.key`)),
    certChainPem: read(`${name}.pem`),
    bundlePem: read('root.pem'),
    issuedAt: new Date(),
    notAfter: new Date(Date.now() + DAY_MS),
  };
}
