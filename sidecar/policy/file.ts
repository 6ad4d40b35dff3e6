import { readFile } from 'node:fs/promises';

import type { Log } from '../../lib/adapter/log.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import {
  type CompiledPolicy,
  compilePolicies,
  type PolicyDocument,
  PolicyError,
  type PolicySource,
  readPolicies,
} from '../../lib/policy/index.ts';
import type { SpiffeId } from '../../lib/spiffe/index.ts';
import { watchFile } from '../watch-file.ts';
import type { Policies } from './policies.ts';

export type PolicyFileDeps = { readonly file: string; readonly log: Log; readonly metrics: Metrics };

const MAX_BYTES = 16 * 1024 * 1024;
const SHOWN_DEFECTS = 20;

/**
 * The policies of a file for one workload, read again whenever the file changes. A file that cannot be understood changes nothing but
 * `stale`.
 */
export async function openPolicyFile({ file, log, metrics }: PolicyFileDeps): Promise<Policies> {
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
  let fault: string | null = null;

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
      fault = null;
      reloads.add(1, { result: 'understood' });
    } catch (error) {
      stale = true;
      fault = 'policy_refused';
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
  const watcher = watchFile(
    file,
    () => void reload(),
    (error) => log.warn('policy_not_watched', { error }),
  );
  return {
    get current() {
      return current;
    },
    get status(): Policies['status'] {
      const [digest, documents] = [current?.digest ?? null, current?.size ?? 0];
      return { source: 'file', version: null, digest, documents, loadedAt, stale, fault };
    },
    aim(id) {
      if (target?.equals(id)) return;
      target = id;
      // What is in force was meant for another workload.
      current = null;
      compile();
    },
    reload,
    denied: () => null,
    [Symbol.dispose]: () => watcher?.close(),
  };
}

async function readSource(file: string): Promise<PolicySource> {
  const text = await readFile(file, 'utf8');
  if (text.length > MAX_BYTES) throw new Error(`the policy file is over ${MAX_BYTES} characters`);
  return { file, text };
}
