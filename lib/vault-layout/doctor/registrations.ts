import { type Entry, entryRef, parseEntry } from '../../attestation/index.ts';
import { SignetError } from '../../errors.ts';
import { entryPath, MOUNTS, tokenRole, tokenRoleName } from '../../grant/index.ts';
import { differences, type Resource, shown, type Value } from '../desired/index.ts';
import type { Layout } from '../layout.ts';
import { asVaultHas } from '../network.ts';
import { secondsOf } from '../ttl.ts';
import type { Finding, Report } from './finding.ts';
import type { Surroundings } from './surroundings.ts';

/** Each entry against its token role, and each token role against its entry: Vault and the documents must say the same. */
export function registrationFindings(around: Surroundings, layout: Layout): Report {
  const findings: Finding[] = [];
  const warnings: Finding[] = [];
  const claimed = new Set<string>();
  for (const [ref, document] of around.entries) {
    const entry = entryOf(ref, document, layout);
    const [folder = '', name = '', ...deeper] = ref.split('/');
    if (deeper.length === 0) claimed.add(`signet-${folder}_${name}`);
    if ('flaw' in entry) findings.push(entry.flaw);
    else judge(entry, around, layout, findings, warnings);
  }
  for (const [name, role] of around.tokenRoles) {
    if (!name.startsWith('signet-')) findings.push(...foreignRole(name, role));
    else if (!claimed.has(name)) findings.push(orphan(name));
  }
  return { findings, warnings };
}

function entryOf(ref: string, document: unknown, layout: Layout): Entry | { flaw: Finding } {
  const at = `${MOUNTS.kv}/data/entries/${ref}`;
  const flaw = (id: string, setting: string): { flaw: Finding } => ({
    flaw: {
      id: `entry.${id}`,
      setting: `${at} ${setting}`,
      allows: 'the broker and Vault do not agree on what is registered',
      fix: 'delete it and register it again',
    },
  });
  try {
    const entry = parseEntry(document, { trustDomain: layout.trustDomain });
    return entryPath(entry) === `entries/${ref}`
      ? entry
      : flaw('misplaced', `is the entry ${entry.tenant}/${entry.name}`);
  } catch (error) {
    if (!(error instanceof SignetError)) throw error;
    return flaw('unreadable', `cannot be read as an entry: ${error.message}`);
  }
}

function judge(
  entry: Entry,
  around: Surroundings,
  layout: Layout,
  findings: Finding[],
  warnings: Finding[],
): void {
  const name = tokenRoleName(entry);
  const role = around.tokenRoles.get(name);
  const ref = entryRef(entry);
  const tell = (to: Finding[], id: string, setting: string, allows: string, fix: string) =>
    void to.push({ id: `registration.${id}`, setting, allows, fix });
  if (entry.state === 'disabled' && role !== undefined) {
    tell(
      findings,
      'disabled',
      `auth/token/roles/${name} is there although ${ref} is disabled`,
      "whoever holds the broker's credential still gets its identity",
      `run signet entry disable ${ref}`,
    );
  }
  if (entry.state === 'active' && role === undefined) {
    tell(
      findings,
      'no_role',
      `auth/token/roles/${name} is missing although ${ref} is active`,
      'its workloads are refused',
      `run signet entry enable ${ref}`,
    );
  }
  if (entry.state === 'pending') {
    tell(
      warnings,
      'pending',
      `${MOUNTS.kv}/data/${entryPath(entry)} is half registered`,
      'its workloads are refused until the registration is run again',
      'run the same signet entry create again, or delete it',
    );
  }
  const tenant = layout.tenants.find(({ name: known }) => known === entry.tenant);
  const alias = tokenRole(entry)['allowed_entity_aliases'] ?? '';
  if (tenant === undefined || !tenant.idPrefixes.some((prefix) => alias.startsWith(prefix))) {
    tell(
      findings,
      'outside',
      `${ref} registers ${alias}, which is not below a prefix of its tenant`,
      'one tenant hands out IDs that another one, or nobody, may',
      'delete the entry, or give the tenant that prefix in the layout',
    );
  }
  if (!layout.svidTtls.includes(entry.ttl)) {
    tell(
      findings,
      'ttl',
      `${ref} has the lifetime ${entry.ttl}, which the layout does not have`,
      'its workloads are refused: no ACL policy allows it',
      "give the entry one of the layout's lifetimes",
    );
  }
  if (role !== undefined) findings.push(...roleFindings(name, role, entry));
}

/** What `lib/grant` makes of the entry, as Vault gives it back, and the fields that must be empty. */
function roleFindings(name: string, role: Readonly<Record<string, unknown>>, entry: Entry): Finding[] {
  const written = tokenRole(entry);
  const want: [string, Value, string][] = [
    ['allowed_policies', [written['allowed_policies'] ?? ''], 'a grant carries rights beyond one SVID'],
    ['allowed_policies_glob', [], 'a grant carries rights beyond one SVID'],
    ['disallowed_policies', [], 'the role does not follow its entry'],
    ['disallowed_policies_glob', [], 'the role does not follow its entry'],
    [
      'allowed_entity_aliases',
      [written['allowed_entity_aliases'] ?? ''],
      "the broker's credential gets IDs that the entry does not name",
    ],
    ['orphan', true, "revoking the broker's token takes the grants that are under way with it"],
    ['renewable', false, 'a grant can be kept alive'],
    ['token_type', 'service', 'a grant without a number of uses'],
    ['token_num_uses', 1, 'one grant mints many SVIDs'],
    ['token_explicit_max_ttl', secondsOf('5m') ?? 0, 'a stolen grant is good for longer'],
    ['token_no_default_policy', true, 'a grant carries the rights of the default policy'],
    ['token_period', 0, 'a grant can be kept alive'],
    [
      'token_bound_cidrs',
      entry.networks.map(asVaultHas),
      'the grant can be spent from other networks than the entry names',
    ],
    ['path_suffix', '', 'the role does not follow its entry'],
  ];
  const resource: Pick<Resource, 'settings'> = {
    settings: want.map(([field, value, allows]) => ({ name: field, want: value, allows })),
  };
  return differences(resource as Resource, role).map(({ setting, found }) => ({
    id: `token-role.${setting.name}`,
    setting: `auth/token/roles/${name} has ${setting.name} = ${shown(found)} in place of ${shown(setting.want)}`,
    allows: setting.allows,
    fix: `run signet entry disable and enable on ${entry.tenant}/${entry.name}, which writes the role anew`,
  }));
}

function orphan(name: string): Finding {
  return {
    id: 'registration.orphan_role',
    setting: `auth/token/roles/${name} belongs to no entry`,
    allows: "whoever holds the broker's credential gets an identity that nobody registered",
    fix: `delete auth/token/roles/${name}`,
  };
}

/** A token role with entity aliases, whatever its name, gives out identities of the token engine, which are Signet's. */
function foreignRole(name: string, role: Readonly<Record<string, unknown>>): Finding[] {
  const policies = [role['allowed_policies'], role['allowed_policies_glob']].flat().map(String);
  const aliases = [role['allowed_entity_aliases'] ?? []].flat();
  const reaches = policies.filter(
    (policy) =>
      policy.startsWith('signet-') || (policy.endsWith('*') && 'signet-'.startsWith(policy.slice(0, -1))),
  );
  if (reaches.length === 0 && aliases.length === 0) return [];
  const what =
    aliases.length > 0
      ? `gives out the identities ${shown(aliases)}`
      : `gives out the policies ${shown(reaches)}`;
  return [
    {
      id: 'token-role.foreign',
      setting: `auth/token/roles/${name} is not Signet's and ${what}`,
      allows: 'its users get identities or rights of Signet without a registration',
      fix: `delete auth/token/roles/${name}, or take those out of it`,
    },
  ];
}
