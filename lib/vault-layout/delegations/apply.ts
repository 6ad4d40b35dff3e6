import { isDeepStrictEqual } from 'node:util';
import { SignetError } from '../../errors.ts';
import { MOUNTS, tenantInName } from '../../grant/index.ts';
import { readLayoutDocument } from '../actual.ts';
import { type Layout, parseLayout } from '../layout.ts';
import { documentAt, listAt, readAt, type VaultPort } from '../port.ts';
import { type Delegation, delegationDocument, parseDelegation } from './delegation.ts';
import { idBeyond, reachDefects } from './reach.ts';
import {
  accessesOf,
  bodyOf,
  delegationPath,
  differing,
  issuerConfig,
  jwtMount,
  loginRole,
  roleName,
  runPolicies,
  runPolicy,
} from './resources.ts';

/** `changes` names every path that was written; none when all was there already. */
export type AppliedDelegation = { readonly changes: readonly string[] };

/**
 * Brings Vault to a delegation: the auth method of its issuer, its policies, its roles, and last its document, which is what brokers go
 * by. Run again, it changes nothing; one that was cut off gives nobody anything, and the next run completes it.
 * @throws SignetError `LAYOUT_CONFLICT`, InputError; whatever the port throws
 */
export async function applyDelegation(vault: VaultPort, delegation: Delegation): Promise<AppliedDelegation> {
  const layout = await keptLayout(vault);
  const [defect] = reachDefects(delegation, layout);
  if (defect !== undefined) throw conflict(defect);
  const before = await readDelegation(vault, delegation.name);
  await expectOwnEntries(vault, delegation, before, layout);
  const changes: string[] = [];
  const write = async (path: string, body: object) => {
    await vault.request('POST', path, body);
    changes.push(path);
  };
  const mount = jwtMount(delegation);
  const auths = (await readAt(vault, 'sys/auth')) ?? {};
  const there = auths[`${mount}/`] as { readonly type?: unknown } | undefined;
  if (there === undefined)
    await write(`sys/auth/${mount}`, { type: 'jwt', description: 'Signet: tokens of runs' });
  else if (there.type !== 'jwt') throw conflict(`auth/${mount} is an auth method of another type`);
  const config = issuerConfig(delegation);
  const configured = await readAt(vault, config.path);
  const wrong = configured === undefined ? [] : differing(config, configured);
  if (configured === undefined || (wrong.length > 0 && !configured['bound_issuer']))
    await write(config.path, bodyOf(config));
  else if (wrong.length > 0)
    throw conflict(
      `${config.path} is for other keys than this delegation's (${wrong.map(({ name }) => name).join(', ')}): give the issuer another name`,
    );
  for (const [name, text] of runPolicies(delegation, layout)) {
    const path = `sys/policies/acl/${name}`;
    if ((await readAt(vault, path))?.['policy'] !== text) await write(path, { policy: text });
  }
  for (const access of accessesOf(delegation)) {
    const role = loginRole(delegation, access);
    const found = await readAt(vault, role.path);
    if (found === undefined || differing(role, found).length > 0) await write(role.path, bodyOf(role));
  }
  await keepDocument(vault, delegation, changes);
  if (before !== undefined) await removeLeftOver(vault, before, delegation);
  return { changes };
}

/**
 * Whoever may write an entry's document takes its ID, so none is there already that is of these runs' names and of another ID. Those that they
 * could write before are for doctor to find: they may be a reason to be given less.
 */
async function expectOwnEntries(
  vault: VaultPort,
  delegation: Delegation,
  before: Delegation | undefined,
  layout: Layout,
): Promise<void> {
  const { tenant, entries: start } = delegation;
  if (start === '') return;
  const folder = `entries/${tenantInName(tenant)}`;
  const had = before?.tenant === tenant ? before.entries : undefined;
  for (const name of await listAt(vault, `${MOUNTS.kv}/metadata/${folder}`)) {
    if (!name.startsWith(start) || (had !== undefined && name.startsWith(had))) continue;
    const document = await documentAt(vault, `${MOUNTS.kv}/data/${folder}/${name}`);
    const id = document === undefined ? undefined : idBeyond(document, delegation, layout);
    if (id !== undefined)
      throw conflict(
        `its runs could write ${folder}/${name}, and so take its ID ${id}, which is below none of their prefixes: give the entry another name, or the delegation another start than ${start}`,
      );
  }
}

/** Undefined when there is none. @throws InputError when it cannot be understood */
export async function readDelegation(vault: VaultPort, name: string): Promise<Delegation | undefined> {
  const document = await documentAt(vault, `${MOUNTS.kv}/data/${delegationPath(name)}`);
  return document === undefined ? undefined : parseDelegation(document);
}

export async function listDelegations(vault: VaultPort): Promise<string[]> {
  return listAt(vault, `${MOUNTS.kv}/metadata/delegations`);
}

/** The document first: from then on no broker lets a run in. False when there was none. */
export async function removeDelegation(vault: VaultPort, name: string): Promise<boolean> {
  const delegation = await readDelegation(vault, name);
  await remove(vault, `${MOUNTS.kv}/metadata/${delegationPath(name)}`);
  if (delegation !== undefined) {
    for (const access of accessesOf(delegation))
      await remove(vault, `auth/${jwtMount(delegation)}/role/${roleName(delegation, access)}`);
  }
  // its policies in any case: who still holds one loses what it gave
  for (const access of ['write', 'read'] as const)
    await remove(vault, `sys/policies/acl/${runPolicy({ name }, access)}`);
  return delegation !== undefined;
}

/** From where brokers come, by the layout; none where it does not say. */
export async function brokerNetworks(vault: VaultPort): Promise<readonly string[]> {
  return (await keptLayout(vault)).broker.networks;
}

async function keptLayout(vault: VaultPort): Promise<Layout> {
  const { document } = await readLayoutDocument(vault);
  if (document === undefined)
    throw conflict('this Vault has no layout of Signet yet: run signet vault apply');
  return parseLayout(document);
}

async function keepDocument(vault: VaultPort, delegation: Delegation, changes: string[]): Promise<void> {
  const path = `${MOUNTS.kv}/data/${delegationPath(delegation.name)}`;
  const found = await readAt(vault, path);
  const data = JSON.parse(JSON.stringify(delegationDocument(delegation))) as object;
  if (isDeepStrictEqual(found?.['data'], data)) return;
  const cas = Number((found?.['metadata'] as { version?: unknown } | undefined)?.version ?? 0);
  await vault.request('POST', path, { data, options: { cas } });
  changes.push(path);
}

/** Roles and policies that the delegation had and has no more: at another issuer, or for a phase that is gone. */
async function removeLeftOver(vault: VaultPort, before: Delegation, now: Delegation): Promise<void> {
  const kept = accessesOf(now);
  for (const access of accessesOf(before)) {
    const gone = !kept.includes(access);
    if (gone || jwtMount(before) !== jwtMount(now))
      await remove(vault, `auth/${jwtMount(before)}/role/${roleName(before, access)}`);
    if (gone) await remove(vault, `sys/policies/acl/${runPolicy(before, access)}`);
  }
}

/** What is not there is as good. */
async function remove(vault: VaultPort, path: string): Promise<void> {
  try {
    await vault.request('DELETE', path);
  } catch (error) {
    if (!(error instanceof SignetError && error.code === 'VAULT_NOT_FOUND')) throw error;
  }
}

function conflict(message: string): SignetError {
  return new SignetError('LAYOUT_CONFLICT', message);
}
