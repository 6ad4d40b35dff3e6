import { tenantInName, workloadPolicy } from '../../grant/index.ts';
import type { Layout } from '../layout.ts';
import { type Rule, renderPolicy } from '../rule.ts';
import { adminRules } from './admin.ts';
import { authorRules } from './author.ts';
import { brokerRules } from './broker.ts';
import { operatorRules } from './operator.ts';
import { registrarRules } from './registrar.ts';
import { viewerRules } from './viewer.ts';
import { workloadRules } from './workload.ts';

export { BROKER_CERTIFICATE_TTL } from './broker.ts';

/** An ACL policy: its name in Vault, its rules, and the text that Vault keeps. */
export type AclPolicy = { readonly name: string; readonly rules: readonly Rule[]; readonly text: string };

/** Every ACL policy of the layout. */
export function aclPolicies(layout: Layout): AclPolicy[] {
  return [
    policy('signet-broker', "The broker's own token.", brokerRules(layout)),
    ...layout.svidTtls.map((ttl) =>
      policy(workloadPolicy(ttl), `A grant: one SVID of ${ttl}.`, workloadRules(layout, ttl)),
    ),
    ...layout.tenants.map((tenant) =>
      policy(
        `signet-registrar-${tenantInName(tenant.name)}`,
        `Registers workloads of ${tenant.name}.`,
        registrarRules(layout, tenant),
      ),
    ),
    policy('signet-author', 'Publishes policies.', authorRules()),
    policy('signet-operator', 'CA work and the kill switch.', operatorRules(layout)),
    policy('signet-admin', "All of Signet: in effect, Vault's root.", adminRules(layout)),
    policy('signet-viewer', 'Looks, and changes nothing.', viewerRules(layout)),
  ];
}

function policy(name: string, about: string, rules: readonly Rule[]): AclPolicy {
  return { name, rules, text: renderPolicy(`${name}: ${about}`, rules) };
}

/** Whether a policy of this name is one that `apply` or `signet delegate` writes, now or for a tenant or lifetime the layout once had. */
export function isLayoutPolicy(name: string, layout: Layout): boolean {
  return isGenerated(name) || isRunPolicy(name) || aclPolicies(layout).some((policy) => policy.name === name);
}

/** Whether it is of a kind of which there is one to a tenant or lifetime. */
export function isGenerated(name: string): boolean {
  return name.startsWith('signet-registrar-') || name.startsWith('signet-workload-');
}

/** Whether it is of the kind that `signet delegate` writes. */
export function isRunPolicy(name: string): boolean {
  return name.startsWith('signet-run-');
}
