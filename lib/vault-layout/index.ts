export { type Applied, type ApplyOptions, applyLayout, type Change } from './apply.ts';
export { type Layout, layoutDocument, parseLayout, type Tenant } from './layout.ts';
export type { VaultPort } from './port.ts';
