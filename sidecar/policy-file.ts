import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Log } from '../lib/adapter/log.ts';
import type { Metrics } from '../lib/adapter/metrics.ts';
import {
  type CompiledPolicy,
  compilePolicies,
  PolicyError,
  type PolicySource,
  parsePolicies,
} from '../lib/policy/index.ts';
import type { SpiffeId } from '../lib/spiffe/index.ts';

export type PolicyStatus = {
  /** Hash of the documents in force; null when there are none, and everything is denied. */
  readonly digest: string | null;
  readonly documents: number;
  readonly loadedAt: Date | null;
  /** The file as it is now was refused, and what was in force before still is. */
  readonly stale: boolean;
};

/** The policies of a file, read again whenever it changes. A file that cannot be understood changes nothing but `stale`. */
export interface PolicyFile extends Disposable {
  readonly current: CompiledPolicy | null;
  readonly status: PolicyStatus;
  /** Reads the file now; settles when that is judged, and never throws. */
  reload(): Promise<void>;
  /** Called with every policy that comes into force. */
  subscribe(listener: (policy: CompiledPolicy) => void): void;
}

export type PolicyFileDeps = {
  readonly file: string;
  readonly target: SpiffeId;
  readonly log: Log;
  readonly metrics: Metrics;
};

const MAX_BYTES = 16 * 1024 * 1024;
/** Editors write in several steps, and each step is an event. */
const SETTLE_MS = 100;

/** Reads the file and watches it. */
export async function openPolicyFile({ file, target, log, metrics }: PolicyFileDeps): Promise<PolicyFile> {
  const reloads = metrics.counter('signet_policy_reloads_total', 'Readings of the policy file, by result');
  const staleness = metrics.gauge(
    'signet_policy_stale',
    '1 while the policy file is refused and older policies stay',
  );
  const listeners: ((policy: CompiledPolicy) => void)[] = [];
  let current: CompiledPolicy | null = null;
  let status: PolicyStatus = { digest: null, documents: 0, loadedAt: null, stale: true };

  const load = async () => {
    try {
      const compiled = compilePolicies(parsePolicies([await readSource(file)]), target);
      const changed = compiled.digest !== current?.digest;
      status = {
        digest: compiled.digest,
        documents: compiled.size,
        loadedAt: changed ? new Date() : status.loadedAt,
        stale: false,
      };
      reloads.add(1, { result: changed ? 'changed' : 'same' });
      if (!changed) return;
      current = compiled;
      log.info('policy', { digest: compiled.digest, documents: compiled.size });
      for (const listener of listeners) listener(compiled);
    } catch (error) {
      status = { ...status, stale: true };
      reloads.add(1, { result: 'refused' });
      log.error('policy_refused', {
        file,
        kept: current?.digest ?? null,
        ...(error instanceof PolicyError ? { defects: error.defects.slice(0, 20) } : { error }),
      });
    } finally {
      staleness.set(status.stale ? 1 : 0);
    }
  };

  // One reading at a time, in order: an older text must not overtake a newer one.
  let queue = load();
  const reload = () => (queue = queue.then(load));
  await queue;
  const watcher = watchFile(file, log, () => void reload());
  return {
    get current() {
      return current;
    },
    get status() {
      return status;
    },
    reload,
    subscribe: (listener) => void listeners.push(listener),
    [Symbol.dispose]: () => watcher?.close(),
  };
}

async function readSource(file: string): Promise<PolicySource> {
  const text = await readFile(file, 'utf8');
  if (text.length > MAX_BYTES) throw new Error(`the policy file is over ${MAX_BYTES} characters`);
  return { file, text };
}

/**
 * Watches the folder: a file replaced by renaming is another file, of which its own watch hears nothing. Kubernetes renames `..data`
 * beside it.
 */
function watchFile(file: string, log: Log, onChange: () => void): FSWatcher | undefined {
  let settling = false;
  try {
    const watcher = watch(dirname(file), { persistent: false }, (_event, name) => {
      if (settling || (name !== null && name !== basename(file) && !name.startsWith('..'))) return;
      settling = true;
      setTimeout(() => {
        settling = false;
        onChange();
      }, SETTLE_MS).unref();
    });
    watcher.on('error', (error) => log.warn('policy_not_watched', { error }));
    return watcher;
  } catch (error) {
    log.warn('policy_not_watched', { error });
    return undefined;
  }
}
