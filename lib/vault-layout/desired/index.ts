import type { Layout } from '../layout.ts';
import { transitKeys } from './keys.ts';
import { kubernetesLogin } from './kubernetes.ts';
import { pkiConfig } from './pki-config.ts';
import { pkiRoles } from './pki-roles.ts';
import type { Resource } from './resource.ts';
import { brokerLogin, kvConfig } from './stores.ts';

export { engineAt, engines } from './engines.ts';
export { kubernetesConfig, REVIEWER_SET } from './kubernetes.ts';
export { pkiAddresses } from './pki-config.ts';
export { POLICY_CERTIFICATE_TTL } from './pki-roles.ts';
export {
  bodyOf,
  type Difference,
  differences,
  type Resource,
  type Setting,
  shown,
  type Value,
} from './resource.ts';
export { SEEDS } from './stores.ts';

/** Roles, keys and configuration: everything that can wait until engines, addresses and CAs are there. */
export function resources(layout: Layout, tokenAccessor: string): Resource[] {
  return [
    ...pkiConfig(layout),
    ...pkiRoles(layout, tokenAccessor),
    ...transitKeys(),
    brokerLogin(layout),
    ...kubernetesLogin(layout),
    kvConfig(),
  ];
}
