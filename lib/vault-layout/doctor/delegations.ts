import { SignetError } from '../../errors.ts';
import { MOUNTS, tenantInName } from '../../grant/index.ts';
import { type Delegation, parseDelegation } from '../delegations/delegation.ts';
import { idBeyond, reachDefects } from '../delegations/reach.ts';
import {
  accessesOf,
  type DelegatedResource,
  delegationPath,
  differing,
  issuerConfig,
  JWT_MOUNTS,
  loginRole,
  runPolicies,
} from '../delegations/resources.ts';
import { shown } from '../desired/index.ts';
import type { Layout } from '../layout.ts';
import { isRunPolicy } from '../policies/index.ts';
import { documentAt, listAt, type OnDenied, readAt, type VaultPort } from '../port.ts';
import type { Finding, Report } from './finding.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What Vault has of delegations. */
export type Delegated = {
  /** Documents by name. */
  readonly documents: ReadonlyMap<string, unknown>;
  /** Configurations and roles of Signet's JWT auth methods, by path. */
  readonly logins: ReadonlyMap<string, Fields>;
};

/** @throws whatever the port throws, but not found and denied */
export async function readDelegated(vault: VaultPort, onDenied: OnDenied): Promise<Delegated> {
  const documents = new Map<string, unknown>();
  for (const name of await listAt(vault, `${MOUNTS.kv}/metadata/delegations`, onDenied)) {
    const document = await documentAt(vault, `${MOUNTS.kv}/data/${delegationPath(name)}`, onDenied);
    if (document !== undefined) documents.set(name, document);
  }
  const logins = new Map<string, Fields>();
  const auths = (await readAt(vault, 'sys/auth', onDenied)) ?? {};
  for (const mount of Object.keys(auths).filter((each) => each.startsWith(JWT_MOUNTS))) {
    const names = await listAt(vault, `auth/${mount}role`, onDenied);
    for (const path of [`auth/${mount}config`, ...names.map((name) => `auth/${mount}role/${name}`)]) {
      const found = await readAt(vault, path, onDenied);
      if (found !== undefined) logins.set(path, found);
    }
  }
  return { documents, logins };
}

/** Each delegation against its log-in in Vault, and each log-in against its delegation. */
export function delegationReport(
  { documents, logins }: Delegated,
  policies: ReadonlyMap<string, string>,
  entries: ReadonlyMap<string, unknown>,
  layout: Layout,
): Report {
  const findings: Finding[] = [];
  const warnings: Finding[] = [];
  const known = new Set<string>();
  const meant = new Set<string>();
  for (const [name, document] of documents) {
    const delegation = delegationOf(name, document);
    if ('flaw' in delegation) {
      findings.push(delegation.flaw);
      continue;
    }
    const resources = [
      issuerConfig(delegation),
      ...accessesOf(delegation).map((access) => loginRole(delegation, access)),
    ];
    for (const resource of resources) {
      known.add(resource.path);
      findings.push(...loginFindings(resource, logins.get(resource.path), name));
    }
    for (const [policy, text] of runPolicies(delegation, layout)) {
      meant.add(policy);
      if (policies.get(policy) !== text) findings.push(policyFinding(policy, name));
    }
    findings.push(...reachFindings(delegation, entries, layout));
    if (delegation.networks.length === 0) warnings.push(unbound(name));
  }
  for (const [path, found] of logins)
    if (!known.has(path) && !path.endsWith('/config')) findings.push(strangeLogin(path, found));
  for (const name of policies.keys())
    if (isRunPolicy(name) && !meant.has(name)) findings.push(stalePolicy(name));
  return { findings, warnings };
}

function delegationOf(name: string, document: unknown): Delegation | { readonly flaw: Finding } {
  const path = `${MOUNTS.kv}/data/${delegationPath(name)}`;
  const flaw = (setting: string): { flaw: Finding } => ({
    flaw: {
      id: 'delegation.unreadable',
      setting: `${path} ${setting}`,
      allows: 'brokers refuse its runs; what its log-in in Vault allows was not judged',
      fix: `run signet delegate delete ${name}, and make it again`,
    },
  });
  try {
    const delegation = parseDelegation(document);
    return delegation.name === name ? delegation : flaw(`is the delegation ${delegation.name}`);
  } catch (error) {
    if (!(error instanceof SignetError)) throw error;
    return flaw(`cannot be read as a delegation: ${error.message}`);
  }
}

function again(name: string): string {
  return `run the same signet delegate terraform ${name} again, which writes it anew`;
}

function loginFindings(resource: DelegatedResource, found: Fields | undefined, name: string): Finding[] {
  if (found === undefined)
    return [
      {
        id: 'delegation.no_login',
        setting: `${resource.path} is missing`,
        allows: `runs of ${name} are refused`,
        fix: again(name),
      },
    ];
  return differing(resource, found).map((setting) => ({
    id: `delegation.${setting.name}`,
    setting: `${resource.path} has ${setting.name} = ${shown(setting.found)} in place of ${shown(setting.want)}`,
    allows: setting.allows,
    fix: resource.path.endsWith('/config')
      ? `write ${resource.path} as ${MOUNTS.kv}/data/${delegationPath(name)} says`
      : again(name),
  }));
}

function policyFinding(policy: string, name: string): Finding {
  return {
    id: 'delegation.policy',
    setting: `sys/policies/acl/${policy} is missing, or not the text of its delegation`,
    allows: 'runs may do other things than the delegation says: read it before it is put back',
    fix: again(name),
  };
}

function reachFindings(
  delegation: Delegation,
  entries: ReadonlyMap<string, unknown>,
  layout: Layout,
): Finding[] {
  const { name, tenant, entries: start } = delegation;
  const path = `${MOUNTS.kv}/data/${delegationPath(name)}`;
  const found: Finding[] = reachDefects(delegation, layout).map((defect) => ({
    id: 'delegation.reach',
    setting: `${path}: ${defect}`,
    allows: 'its runs get more than a tenant has, or than the delegation says',
    fix: 'make it again with other prefixes, or change the layout',
  }));
  if (start === '') return found;
  // whoever may write an entry's document says what its workload must show
  for (const [ref, document] of entries) {
    if (!ref.startsWith(`${tenantInName(tenant)}/${start}`)) continue;
    if (idBeyond(document, delegation, layout) === undefined) continue;
    found.push({
      id: 'delegation.entries',
      setting: `${path}: its runs may write ${ref}, which gives an ID that is below none of its prefixes`,
      allows: `a run of ${name} changes what a workload must show for that ID, and takes it`,
      fix: `give the entry another name, or the delegation another start than ${start}`,
    });
  }
  return found;
}

function unbound(name: string): Finding {
  return {
    id: 'delegation.networks',
    setting: `${MOUNTS.kv}/data/${delegationPath(name)} names no network of the brokers`,
    allows:
      'whoever has a token of a run shows it to Vault itself, past the brokers, as often as he likes until it has run out',
    fix: 'make it again with --network, the addresses that brokers come from',
  };
}

function strangeLogin(path: string, found: Fields): Finding {
  const claims = found['bound_claims'] ?? null;
  return {
    id: 'delegation.unknown_role',
    setting: `${path} is of no delegation, and gives ${shown(found['token_policies'])} to tokens with the claims ${shown(claims)}`,
    allows: 'whoever has such a token logs in past the brokers, with what nobody delegated',
    fix: `delete ${path}`,
  };
}

function stalePolicy(name: string): Finding {
  return {
    id: 'delegation.policy',
    setting: `sys/policies/acl/${name} is of no delegation`,
    allows: 'whoever still holds it registers what nobody delegated',
    fix: `delete sys/policies/acl/${name}`,
  };
}
