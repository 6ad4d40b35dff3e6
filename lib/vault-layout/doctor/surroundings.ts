import { MOUNTS } from '../../grant/index.ts';
import type { Layout } from '../layout.ts';
import { isLayoutPolicy } from '../policies/index.ts';
import { documentAt, listAt, type OnDenied, readAt, type VaultPort } from '../port.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What else there is in a Vault that bears on Signet, beyond what the layout writes. */
export type Surroundings = {
  readonly version: string;
  readonly auditDevices: number;
  /** ACL policies that the layout does not write, by name. */
  readonly policies: ReadonlyMap<string, string>;
  /** PKI roles by their path. */
  readonly pkiRoles: readonly string[];
  readonly tokenRoles: ReadonlyMap<string, Fields>;
  /** Registration documents by their path below `entries/`. */
  readonly entries: ReadonlyMap<string, unknown>;
  /** Roles of the brokers' log-in, by name. */
  readonly logins: ReadonlyMap<string, Fields>;
  /** Roles of Kubernetes auth, by path. */
  readonly kubernetesLogins: ReadonlyMap<string, Fields>;
};

/**
 * Reads them; a path that the token may not read is told to `onDenied` and left out.
 * @throws whatever the port throws, but not found and denied
 */
export async function readSurroundings(
  vault: VaultPort,
  layout: Layout,
  onDenied: OnDenied,
): Promise<Surroundings> {
  const seal = await readAt(vault, 'sys/seal-status', onDenied);
  const audit = await readAt(vault, 'sys/audit', onDenied);
  const names = await listAt(vault, 'sys/policies/acl', onDenied);
  const foreign = names.filter((name) => name !== 'root' && !isLayoutPolicy(name, layout));
  const policies = await readEach(foreign, (name) => readAt(vault, `sys/policies/acl/${name}`, onDenied));
  const pkiRoles: string[] = [];
  for (const mount of [MOUNTS.pki, MOUNTS.root]) {
    for (const name of await listAt(vault, `${mount}/roles`, onDenied))
      pkiRoles.push(`${mount}/roles/${name}`);
  }
  const roles = await listAt(vault, 'auth/token/roles', onDenied);
  const logins = await listAt(vault, `auth/${MOUNTS.approle}/role`, onDenied);
  const kubernetesMounts = new Set([MOUNTS.kubernetes, layout.kubernetes?.mount ?? MOUNTS.kubernetes]);
  const kubernetesRoles: string[] = [];
  for (const mount of kubernetesMounts) {
    for (const name of await listAt(vault, `auth/${mount}/role`, onDenied))
      kubernetesRoles.push(`auth/${mount}/role/${name}`);
  }
  const entries = await entryNames(vault, '', onDenied);
  return {
    version: String(seal?.['version'] ?? ''),
    auditDevices: Object.values(audit ?? {}).filter((device) => typeof device === 'object' && device !== null)
      .length,
    policies: new Map(
      [...policies].map(([name, policy]) => [name, String((policy as Fields)['policy'] ?? '')]),
    ),
    pkiRoles,
    tokenRoles: await readEach(roles, (name) => readAt(vault, `auth/token/roles/${name}`, onDenied)),
    entries: await readEach(entries, (ref) =>
      documentAt(vault, `${MOUNTS.kv}/data/entries/${ref}`, onDenied),
    ),
    logins: await readEach(logins, (name) => readAt(vault, `auth/${MOUNTS.approle}/role/${name}`, onDenied)),
    kubernetesLogins: await readEach(kubernetesRoles, (path) => readAt(vault, path, onDenied)),
  };
}

/** Entries lie in folders, one to a tenant; what lies deeper was put there by something else, and is found for that. */
async function entryNames(vault: VaultPort, folder: string, onDenied: OnDenied): Promise<string[]> {
  const found: string[] = [];
  for (const name of await listAt(vault, `${MOUNTS.kv}/metadata/entries/${folder}`, onDenied)) {
    if (name.endsWith('/')) found.push(...(await entryNames(vault, `${folder}${name}`, onDenied)));
    else found.push(`${folder}${name}`);
  }
  return found;
}

const AT_ONCE = 16;

/** Reads many, a few at once; what is gone by then is left out. */
async function readEach<T>(
  names: readonly string[],
  read: (name: string) => Promise<T | undefined>,
): Promise<Map<string, T>> {
  const found = new Map<string, T>();
  for (let i = 0; i < names.length; i += AT_ONCE) {
    const slice = names.slice(i, i + AT_ONCE);
    const values = await Promise.all(slice.map(read));
    values.forEach((value, j) => {
      if (value !== undefined) found.set(slice[j]!, value);
    });
  }
  return found;
}
