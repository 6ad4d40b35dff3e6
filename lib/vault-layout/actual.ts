import { MOUNTS } from '../grant/index.ts';
import {
  engineAt,
  engines,
  kubernetesConfig,
  pkiAddresses,
  type Resource,
  resources,
  SEEDS,
} from './desired/index.ts';
import type { Layout } from './layout.ts';
import { aclPolicies } from './policies/index.ts';
import { documentAt, listAt, type OnDenied, readAt, type VaultPort } from './port.ts';

/** A CA certificate in a PKI engine. */
export type Issuer = {
  readonly id: string;
  readonly name: string;
  /** Empty: Vault does not hold its key, so it signs nothing; it is there for the chain. */
  readonly keyId: string;
  readonly pem: string;
  /** Itself and whoever signed it, as far as they are in the engine (PEM). */
  readonly chain: readonly string[];
  readonly leafNotAfterBehavior: string;
};

export type PkiState = {
  readonly issuers: readonly Issuer[];
  readonly defaultIssuer: string;
  /** A new issuer signs from the moment it is there. */
  readonly followsLatest: boolean;
  /** Subject key identifiers (hex) of the keys in the engine, by key id. */
  readonly keys: ReadonlyMap<string, { readonly name: string; readonly subjectKeyId: string }>;
};

/** A Vault as it is, as far as the layout speaks of it. */
export type Actual = {
  /** The token engine's: the PKI role's template names it, and it is another one in a restored Vault. */
  readonly tokenAccessor: string;
  readonly resources: ReadonlyMap<string, Readonly<Record<string, unknown>> | undefined>;
  /** Every ACL policy whose name starts with `signet-`. */
  readonly policies: ReadonlyMap<string, string>;
  readonly pki: PkiState;
  readonly root: PkiState;
  readonly seeds: ReadonlySet<string>;
  /** The layout that was applied last, as a document and its version in KV; undefined and 0 before the first time. */
  readonly layout: { readonly document: unknown; readonly version: number };
};

export const LAYOUT_PATH = `${MOUNTS.kv}/data/layout`;

/**
 * Reads a Vault. Without `onDenied` a path that the token may not read is an error.
 * @throws whatever the port throws
 */
export async function readActual(vault: VaultPort, layout: Layout, onDenied?: OnDenied): Promise<Actual> {
  const mounts = (await readAt(vault, 'sys/mounts', onDenied)) ?? {};
  const auths = (await readAt(vault, 'sys/auth', onDenied)) ?? {};
  const tokenAccessor = String((auths['token/'] as { accessor?: unknown } | undefined)?.accessor ?? '');
  const found = new Map<string, Readonly<Record<string, unknown>> | undefined>();
  for (const { id, path } of engines(layout)) {
    const [, kind, name] = path.split('/');
    found.set(id, engineAt((kind === 'auth' ? auths : mounts)[`${name}/`]));
  }
  for (const { id, path } of everyResource(layout, { tokenAccessor }).slice(engines(layout).length)) {
    found.set(id, await readAt(vault, path, onDenied));
  }
  const seeds = new Set<string>();
  for (const { path } of SEEDS) if ((await documentAt(vault, path, onDenied)) !== undefined) seeds.add(path);
  return {
    tokenAccessor,
    resources: found,
    policies: await readPolicies(vault, layout, onDenied),
    pki: await readPki(vault, MOUNTS.pki, onDenied),
    root: layout.root === 'vault' ? await readPki(vault, MOUNTS.root, onDenied) : NO_PKI,
    seeds,
    layout: await readLayoutDocument(vault, onDenied),
  };
}

/** The layout that was applied last, before it is parsed. */
export async function readLayoutDocument(vault: VaultPort, onDenied?: OnDenied): Promise<Actual['layout']> {
  const found = await readAt(vault, LAYOUT_PATH, onDenied);
  const version = Number((found?.['metadata'] as { version?: unknown } | undefined)?.version ?? 0);
  return { document: found?.['data'] ?? undefined, version };
}

/** The resources of the layout, in the order in which they can be made. */
export function everyResource(layout: Layout, { tokenAccessor }: Pick<Actual, 'tokenAccessor'>): Resource[] {
  return [
    ...engines(layout),
    ...pkiAddresses(layout),
    ...kubernetesConfig(layout),
    ...resources(layout, tokenAccessor),
  ];
}

const NO_PKI: PkiState = { issuers: [], defaultIssuer: '', followsLatest: false, keys: new Map() };

async function readPolicies(
  vault: VaultPort,
  layout: Layout,
  onDenied?: OnDenied,
): Promise<Map<string, string>> {
  const listed = await listAt(vault, 'sys/policies/acl', onDenied);
  const names = new Set([
    ...listed.filter((name) => name.startsWith('signet-')),
    ...aclPolicies(layout).map((p) => p.name),
  ]);
  const texts = new Map<string, string>();
  for (const name of names) {
    const policy = await readAt(vault, `sys/policies/acl/${name}`, onDenied);
    if (typeof policy?.['policy'] === 'string') texts.set(name, policy['policy']);
  }
  return texts;
}

async function readPki(vault: VaultPort, mount: string, onDenied?: OnDenied): Promise<PkiState> {
  const issuers: Issuer[] = [];
  for (const id of await listAt(vault, `${mount}/issuers`, onDenied)) {
    const raw = await readAt(vault, `${mount}/issuer/${id}`, onDenied);
    if (raw === undefined) continue;
    issuers.push({
      id,
      name: String(raw['issuer_name'] ?? ''),
      keyId: String(raw['key_id'] ?? ''),
      pem: String(raw['certificate'] ?? ''),
      chain: Array.isArray(raw['ca_chain']) ? raw['ca_chain'].map(String) : [],
      leafNotAfterBehavior: String(raw['leaf_not_after_behavior'] ?? ''),
    });
  }
  const keys = new Map<string, { name: string; subjectKeyId: string }>();
  for (const id of await listAt(vault, `${mount}/keys`, onDenied)) {
    const raw = await readAt(vault, `${mount}/key/${id}`, onDenied);
    keys.set(id, {
      name: String(raw?.['key_name'] ?? ''),
      subjectKeyId: String(raw?.['subject_key_id'] ?? '').replaceAll(':', ''),
    });
  }
  const config = await readAt(vault, `${mount}/config/issuers`, onDenied);
  return {
    issuers,
    keys,
    defaultIssuer: String(config?.['default'] ?? ''),
    followsLatest: config?.['default_follows_latest_issuer'] === true,
  };
}
