import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Log } from '../lib/adapter/log.ts';
import type { Metrics } from '../lib/adapter/metrics.ts';
import {
  type CompiledPolicy,
  compilePolicies,
  type PolicyDocument,
  PolicyError,
  type PolicySource,
  readPolicies,
} from '../lib/policy/index.ts';
import type { SpiffeId } from '../lib/spiffe/index.ts';

export type PolicyStatus = {
  /** Hash of the documents in force; null when there are none, and nothing is permitted. */
  readonly digest: string | null;
  readonly documents: number;
  readonly loadedAt: Date | null;
  /** The file as it is now was refused, and what was in force before still is. */
  readonly stale: boolean;
};

/**
 * The policies of a file for one workload, read again whenever the file changes. A file that cannot be understood changes nothing but
 * `stale`.
 */
export interface PolicyFile extends Disposable {
  /** Null before the file was understood and the workload is known: nothing may be permitted then. */
  readonly current: CompiledPolicy | null;
  readonly status: PolicyStatus;
  /** Says whose policies are meant. */
  aim(target: SpiffeId): void;
  /** Reads the file now; settles when that is judged, and never throws. */
  reload(): Promise<void>;
}

export type PolicyFileDeps = { readonly file: string; readonly log: Log; readonly metrics: Metrics };

const MAX_BYTES = 16 * 1024 * 1024;
/** Editors write in several steps, and each step is an event. */
const SETTLE_MS = 100;
const SHOWN_DEFECTS = 20;

/** Reads the file and watches it. */
export async function openPolicyFile({ file, log, metrics }: PolicyFileDeps): Promise<PolicyFile> {
  const reloads = metrics.counter('signet_policy_reloads_total', 'Readings of the policy file, by result');
  const staleness = metrics.gauge(
    'signet_policy_stale',
    '1 while the policy file is refused and what was in force before still is',
  );
  let documents: readonly PolicyDocument[] | null = null;
  let target: SpiffeId | null = null;
  let current: CompiledPolicy | null = null;
  let loadedAt: Date | null = null;
  let stale = true;

  const compile = () => {
    if (documents === null || target === null) return;
    const compiled = compilePolicies(documents, target);
    if (compiled.digest === current?.digest && compiled.target.equals(current.target)) return;
    current = compiled;
    loadedAt = new Date();
    log.info('policy', { target, digest: compiled.digest, documents: compiled.size });
  };
  const load = async () => {
    try {
      documents = await readPolicies([await readSource(file)]);
      compile();
      stale = false;
      reloads.add(1, { result: 'understood' });
    } catch (error) {
      stale = true;
      reloads.add(1, { result: 'refused' });
      const defects = error instanceof PolicyError ? error.defects.slice(0, SHOWN_DEFECTS) : undefined;
      const why = defects === undefined ? { error } : { defects };
      log.error('policy_refused', { file, kept: current?.digest ?? null, ...why });
    }
    staleness.set(stale ? 1 : 0);
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
      return { digest: current?.digest ?? null, documents: current?.size ?? 0, loadedAt, stale };
    },
    aim(id) {
      if (target?.equals(id)) return;
      target = id;
      // What is in force was meant for another workload.
      current = null;
      compile();
    },
    reload,
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
