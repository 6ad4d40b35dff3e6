import { X509Certificate } from 'node:crypto';
import { inParallel, type VaultCaller } from '../lib/adapter/documents.ts';
import { sleep } from '../lib/adapter/lifecycle.ts';
import type { Log } from '../lib/adapter/log.ts';
import { SignetError } from '../lib/errors.ts';
import { MOUNTS } from '../lib/grant/index.ts';
import { type Bundle, type BundleJwks, bundleToJwks } from '../lib/svid/index.ts';

/** The trust domain's authorities, as Vault's issuing CA has them. */
export interface BundleSource {
  /** Undefined until Vault has been read for the first time. The last good one stays while Vault is away. */
  readonly current: Bundle | undefined;
  /** Reads Vault now. @throws VaultError, BundleError */
  refresh(): Promise<Bundle>;
  /** Calls `listener` at every change. */
  onChange(listener: (bundle: Bundle) => void): void;
  run(signal: AbortSignal): Promise<void>;
}

class BundleError extends SignetError<'BUNDLE_UNREADABLE'> {
  override readonly name = 'BundleError';
}

export type BundleSourceDeps = {
  readonly vault: VaultCaller;
  readonly trustDomain: string;
  /** How often Vault is read. */
  readonly refreshMs: number;
  readonly log: Log;
  readonly now: () => Date;
};

const RETRY_MS = 2_000;
const REFRESH_HINT_SECONDS = 60;
const MOST_ISSUERS = 64;

/**
 * The sequence number is the second at which this broker first saw the set. It rises with every change, and no broker need write
 * it down: one that started later or saw a change later says a higher number for the newer set.
 */
export function createBundleSource({
  vault,
  trustDomain,
  refreshMs,
  log,
  now,
}: BundleSourceDeps): BundleSource {
  const listeners: ((bundle: Bundle) => void)[] = [];
  let current: Bundle | undefined;

  const refresh = async () => {
    const authorities = await readAuthorities(vault);
    if (current !== undefined && sameSet(current.authorities, authorities)) return current;
    const sequence = Math.max(Math.floor(now().getTime() / 1000), (current?.sequence ?? 0) + 1);
    current = { trustDomain, sequence, refreshHintSeconds: REFRESH_HINT_SECONDS, authorities };
    log.info('bundle', { sequence, authorities: authorities.length });
    for (const listener of listeners) listener(current);
    return current;
  };

  return {
    get current() {
      return current;
    },
    refresh,
    onChange: (listener) => void listeners.push(listener),
    async run(signal) {
      while (!signal.aborted) {
        let wait = refreshMs;
        await refresh().catch((error: unknown) => {
          if (current === undefined) wait = RETRY_MS;
          if (!signal.aborted) log.warn('bundle_unavailable', { reason: error });
        });
        await sleep(wait, signal);
      }
    },
  };
}

/** The roots at the end of every issuer's chain, DER, in a fixed order. */
async function readAuthorities(vault: VaultCaller): Promise<Uint8Array[]> {
  const list = await vault.call<{ keys?: unknown }>('LIST', `${MOUNTS.pki}/issuers`);
  const ids = list.data?.keys;
  if (!Array.isArray(ids) || ids.length > MOST_ISSUERS || !ids.every((id) => /^[0-9a-f-]{36}$/.test(id))) {
    throw new BundleError('BUNDLE_UNREADABLE', 'the list of issuers is not what it should be');
  }
  const roots = await inParallel(ids as string[], (id) => readRoot(vault, id));
  const unique = new Map(
    roots.filter((root) => root !== undefined).map((root) => [root.fingerprint256, new Uint8Array(root.raw)]),
  );
  if (unique.size === 0) throw new BundleError('BUNDLE_UNREADABLE', 'no issuer has a chain to a root');
  return [...unique.keys()].sort().map((fingerprint) => unique.get(fingerprint)!);
}

/** Undefined for an issuer whose root Vault does not hold: nothing it signs could be verified. */
async function readRoot(vault: VaultCaller, id: string): Promise<X509Certificate | undefined> {
  const { data } = await vault.call<{ ca_chain?: unknown }>('GET', `${MOUNTS.pki}/issuer/${id}/json`);
  const chain = data?.ca_chain;
  if (!Array.isArray(chain)) throw new BundleError('BUNDLE_UNREADABLE', 'an issuer without a chain');
  try {
    return chain
      .map((pem) => new X509Certificate(String(pem)))
      .find((certificate) => certificate.ca && certificate.checkIssued(certificate));
  } catch (cause) {
    throw new BundleError('BUNDLE_UNREADABLE', 'an issuer whose chain cannot be read', { cause });
  }
}

function sameSet(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((der, i) => Buffer.compare(der, b[i]!) === 0);
}

const documents = new WeakMap<Bundle, BundleJwks>();

/** The bundle as a SPIFFE document, made once: every grant carries it. */
export function bundleDocument(bundle: Bundle): BundleJwks {
  const document = documents.get(bundle) ?? bundleToJwks(bundle);
  documents.set(bundle, document);
  return document;
}
