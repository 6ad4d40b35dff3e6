import { MOUNTS } from '../../grant/index.ts';
import { kubernetesRole } from '../kubernetes.ts';
import type { Layout } from '../layout.ts';
import { overlaps, readPolicy } from './acl.ts';
import type { Finding } from './finding.ts';
import type { Surroundings } from './surroundings.ts';

const { kv, pki, root, transit, approle, kubernetes } = MOUNTS;
const WRITES = ['create', 'update', 'patch'];

/** Paths that only Signet's own policies should open, and what each is good for. */
const GUARDED: readonly [path: string, capabilities: readonly string[], allows: string][] = [
  ...[
    'sign/+',
    'issue/+',
    'sign-verbatim',
    'sign-verbatim/+',
    'issuer/+/sign/+',
    'issuer/+/issue/+',
    'issuer/+/sign-verbatim',
    'issuer/+/sign-verbatim/+',
  ].map((path): [string, readonly string[], string] => [`${pki}/${path}`, WRITES, 'sign certificates']),
  ...[pki, root].flatMap((mount): [string, readonly string[], string][] => [
    [`${mount}/root/sign-intermediate`, WRITES, 'make CAs'],
    [`${mount}/issuer/+/sign-intermediate`, WRITES, 'make CAs'],
    [`${mount}/roles/+`, [...WRITES, 'delete'], 'change what is signed'],
    [`${mount}/issuers/import/+`, WRITES, 'bring in a CA'],
    [`${mount}/config/ca`, WRITES, 'bring in a CA'],
    [`${mount}/config/acme`, WRITES, 'open a CA to anyone'],
  ]),
  ['auth/token/create/signet-*', WRITES, 'get grants'],
  ['auth/token/create', ['sudo'], 'get tokens of any policy'],
  ['auth/token/roles/signet-*', [...WRITES, 'delete'], 'register workloads'],
  [`${kv}/data/entries/*`, [...WRITES, 'delete'], 'change registrations'],
  [`${kv}/data/joins/*`, ['read', ...WRITES], 'make join codes'],
  [`${transit}/sign/policy`, WRITES, 'sign policies'],
  [`${transit}/sign/jwt-svid`, WRITES, 'sign JWT-SVIDs'],
  [`${transit}/keys/policy/config`, WRITES, 'make keys exportable'],
  [`${transit}/keys/policy/set-certificate`, WRITES, 'say which certificate signs policies'],
  [`${kv}/data/policies/*`, [...WRITES, 'delete'], 'change what is published'],
  [`auth/${approle}/role/broker/secret-id`, WRITES, 'become a broker'],
  [`auth/${kubernetes}/role/+`, WRITES, 'become a broker'],
  [`auth/${kubernetes}/config`, WRITES, 'become a broker'],
  ['auth/signet-jwt-*', WRITES, 'say which runs register workloads'],
  [`${kv}/data/delegations/+`, [...WRITES, 'delete'], 'say which runs register workloads'],
  ['identity/entity/id/+', WRITES, 'give identities more rights'],
  ['identity/entity-alias', WRITES, 'make identities'],
  ['sys/policies/acl/signet-broker', [...WRITES, 'delete'], "change Signet's policies"],
];

/** ACL policies of others that reach into Signet. They may be meant (an administrator's): a human has to say. */
export function reachWarnings(around: Surroundings): Finding[] {
  return [...around.policies].flatMap(([name, text]) => {
    const grants = readPolicy(text);
    if (grants === undefined) {
      return [
        {
          id: 'policy.unreadable',
          setting: `sys/policies/acl/${name} cannot be read`,
          allows: 'doctor cannot tell whether it reaches into Signet',
          fix: 'read it',
        },
      ];
    }
    const reached = new Map<string, string>();
    for (const grant of grants) {
      for (const [path, capabilities, allows] of GUARDED) {
        const some =
          grant.capabilities.some((c) => capabilities.includes(c)) && !grant.capabilities.includes('deny');
        if (some && overlaps(grant.path, path)) reached.set(allows, grant.path);
      }
    }
    if (reached.size === 0) return [];
    return [
      {
        id: 'policy.foreign',
        setting: `sys/policies/acl/${name} opens ${[...new Set(reached.values())].map((path) => JSON.stringify(path)).join(', ')}`,
        allows: `its holders can ${[...reached.keys()].join(', ')}`,
        fix: 'if that is not meant, narrow it',
      },
    ];
  });
}

/** What else in the engines lets somebody sign or log in. */
export function strangeRoles(around: Surroundings, layout: Layout): Finding[] {
  const known = new Set(['workload', 'broker', 'policy'].map((name) => `${pki}/roles/${name}`));
  const roles = around.pkiRoles
    .filter((path) => !known.has(path))
    .map((path) => ({
      id: 'pki-role.unknown',
      setting: `${path} is not a role of the layout`,
      allows: 'whoever may use it gets certificates that the layout does not limit',
      fix: `delete ${path}`,
    }));
  const logins = [...around.logins]
    .filter(([name, role]) => name !== 'broker' && [role['token_policies']].flat().includes('signet-broker'))
    .map(([name]) => ({
      id: 'approle.unknown',
      setting: `auth/${approle}/role/${name} logs in as a broker`,
      allows: "a second way to the broker's credential, with limits of its own",
      fix: `delete auth/${approle}/role/${name}`,
    }));
  const own = layout.kubernetes && kubernetesRole(layout.kubernetes);
  const accounts = [...around.kubernetesLogins]
    .filter(([path, role]) => path !== own && [role['token_policies']].flat().includes('signet-broker'))
    .map(([path]) => ({
      id: 'kubernetes.unknown',
      setting: `${path} logs in as a broker`,
      allows: "a second way to the broker's credential, for service accounts that the layout does not name",
      fix: `delete ${path}`,
    }));
  return [...roles, ...logins, ...accounts];
}
