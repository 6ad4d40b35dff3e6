import { isDeepStrictEqual } from 'node:util';
import { MOUNTS } from '../../grant/index.ts';
import type { Layout } from '../layout.ts';
import { asVaultHas } from '../network.ts';
import { registrarRules, tenantFolders } from '../policies/registrar.ts';
import { OWN_TOKEN } from '../policies/shared.ts';
import { type Rule, renderPolicy } from '../rule.ts';
import { secondsOf } from '../ttl.ts';
import type { Delegation } from './delegation.ts';

/** What a run may do with what it is given. */
export type Access = 'write' | 'read';

/** One thing in Vault that follows from a delegation: what it must be, and what it lets somebody do when it is not that. */
export type DelegatedResource = {
  readonly path: string;
  readonly settings: readonly {
    readonly name: string;
    readonly want: unknown;
    readonly allows: string;
  }[];
};

/** Auth methods of this front in their path are Signet's, one to an issuer. */
export const JWT_MOUNTS = 'signet-jwt-';
/** By which tokens may be signed. None of shared secrets: whoever verifies could sign. */
export const DELEGATED_ALGORITHMS = ['ES256', 'EdDSA', 'PS256', 'RS256'];
export const SKEW_SECONDS = 30;

export function delegationPath(name: string): string {
  return `delegations/${name}`;
}

export function jwtMount({ issuer }: Delegation): string {
  return `${JWT_MOUNTS}${issuer.name}`;
}

/** The role in Vault's JWT auth, and the end of its policy's name. Names hold no underscore, so none is another's. */
export function roleName({ name }: Pick<Delegation, 'name'>, access: Access): string {
  return `${name}_${access}`;
}

export function runPolicy(delegation: Pick<Delegation, 'name'>, access: Access): string {
  return `signet-run-${roleName(delegation, access)}`;
}

/** What a token must say for this access. */
export function wantedClaims(
  { claims, phase }: Delegation,
  access: Access,
): Readonly<Record<string, string>> {
  return phase === undefined ? claims : { ...claims, [phase.claim]: phase[access] };
}

export function accessesOf({ phase }: Delegation): readonly Access[] {
  return phase === undefined ? ['write'] : ['write', 'read'];
}

/** The ACL policy of each access, as its text. */
export function runPolicies(delegation: Delegation, layout: Pick<Layout, 'svidTtls'>): Map<string, string> {
  const { name, tenant, idPrefixes, entries } = delegation;
  const rules: Record<Access, readonly Rule[]> = {
    write: registrarRules(layout, { name: tenant, idPrefixes }, entries),
    read: readingRules(delegation),
  };
  return new Map(
    accessesOf(delegation).map((access) => {
      const policy = runPolicy(delegation, access);
      const about = access === 'write' ? 'registers' : 'looks at';
      return [
        policy,
        renderPolicy(
          `${policy}: a run of ${name} ${about} workloads of ${tenant}. Written by \`signet delegate\`.`,
          rules[access],
        ),
      ];
    }),
  );
}

function readingRules({ tenant, entries }: Delegation): Rule[] {
  const { kv } = MOUNTS;
  return [
    ...['entries', 'services'].flatMap((folder) =>
      tenantFolders(tenant, entries).flatMap((path): Rule[] => [
        { why: `Look at ${folder}.`, path: `${kv}/data/${folder}/${path}`, capabilities: ['read'] },
        { why: `List ${folder}.`, path: `${kv}/metadata/${folder}/${path}`, capabilities: ['list'] },
      ]),
    ),
    ...OWN_TOKEN,
  ];
}

/** Whose tokens the auth method believes. */
export function issuerConfig(delegation: Delegation): DelegatedResource {
  const { url, jwksUrl, ca } = delegation.issuer;
  const others = 'whoever has other keys signs tokens of any workspace';
  return {
    path: `auth/${jwtMount(delegation)}/config`,
    settings: [
      { name: 'bound_issuer', want: url, allows: 'tokens of another issuer whose keys are the same log in' },
      { name: 'jwks_url', want: jwksUrl, allows: others },
      { name: 'jwks_ca_pem', want: ca, allows: others },
      { name: 'jwt_validation_pubkeys', want: [], allows: others },
      { name: 'oidc_discovery_url', want: '', allows: others },
      {
        name: 'jwt_supported_algs',
        want: DELEGATED_ALGORITHMS,
        allows: 'tokens signed in another way log in',
      },
      { name: 'default_role', want: '', allows: 'a log-in that names no role gets one' },
    ],
  };
}

/** What Vault demands of a token before it gives the right to register. */
export function loginRole(delegation: Delegation, access: Access): DelegatedResource {
  const { audience, networks, ttl } = delegation;
  const seconds = secondsOf(ttl) ?? 0;
  const longer = 'a stolen right to register is good for longer, or runs are cut off';
  return {
    path: `auth/${jwtMount(delegation)}/role/${roleName(delegation, access)}`,
    settings: [
      { name: 'role_type', want: 'jwt', allows: 'people log in by a browser' },
      {
        name: 'bound_audiences',
        want: [audience],
        allows: 'tokens that the run gives to other services log in, and those services can',
      },
      {
        name: 'bound_claims',
        want: wantedClaims(delegation, access),
        allows: "runs of other workspaces, or of anybody's, register here",
      },
      {
        name: 'bound_claims_type',
        want: 'string',
        allows: 'a star in a claim that is asked for stands for other workspaces',
      },
      { name: 'bound_subject', want: '', allows: 'runs are cut off' },
      { name: 'user_claim', want: 'sub', allows: "Vault's audit names another than who it was" },
      { name: 'user_claim_json_pointer', want: false, allows: "Vault's audit names another than who it was" },
      { name: 'clock_skew_leeway', want: SKEW_SECONDS, allows: 'tokens log in long after their end' },
      {
        name: 'token_policies',
        want: [runPolicy(delegation, access)],
        allows: 'runs get rights beyond their delegation',
      },
      { name: 'token_no_default_policy', want: true, allows: 'runs get the rights of the default policy' },
      { name: 'token_type', want: 'service', allows: 'batch tokens, which cannot be revoked' },
      { name: 'token_ttl', want: seconds, allows: longer },
      { name: 'token_explicit_max_ttl', want: seconds, allows: longer },
      { name: 'token_max_ttl', want: seconds, allows: longer },
      { name: 'token_period', want: 0, allows: longer },
      { name: 'token_num_uses', want: 0, allows: 'runs are cut off in the middle of their work' },
      {
        name: 'token_bound_cidrs',
        want: networks.map(asVaultHas),
        allows: 'tokens are had and used past the brokers',
      },
    ],
  };
}

/** The settings in which what Vault has is another. Vault leaves out what is empty, and keeps lists in no order. */
export function differing(
  { settings }: DelegatedResource,
  found: Readonly<Record<string, unknown>>,
): (DelegatedResource['settings'][number] & { readonly found: unknown })[] {
  return settings
    .filter(({ name, want }) => !isDeepStrictEqual(settled(want), settled(found[name])))
    .map((setting) => ({ ...setting, found: found[setting.name] }));
}

function settled(value: unknown): unknown {
  if (value === undefined || value === null || value === '' || value === false || value === 0) return '';
  if (Array.isArray(value)) return value.length === 0 ? '' : value.map(String).sort();
  if (typeof value !== 'object') return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? '' : Object.fromEntries(entries.map(([k, v]) => [k, settled(v)]));
}

export function bodyOf({ settings }: DelegatedResource): Record<string, unknown> {
  return Object.fromEntries(settings.map(({ name, want }) => [name, want]));
}
