import { open } from 'node:fs/promises';
import type { VaultCaller } from '../../lib/adapter/documents.ts';
import { sleep } from '../../lib/adapter/lifecycle.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import {
  type Countersignature,
  countersignatureLine,
  readCountersignature,
  type Statement,
  statementBytes,
} from '../../lib/audit/index.ts';
import { SignetError } from '../../lib/errors.ts';
import { MOUNTS } from '../../lib/grant/index.ts';
import { retryDelay } from '../../lib/rotation/index.ts';

/** What is to be countersigned, and the file of the log it is of. */
export type Asked = Omit<Statement, 'time'> & { readonly file: string };

/**
 * Has Vault sign that a log was as it is now. Nobody waits for it: of a log that moves on meanwhile the newest record is signed, which by
 * its hash vouches for all before it.
 */
export interface Countersigner {
  ask(asked: Asked): void;
  /** The last one of a log that was made since the start. */
  lastOf(file: string): Countersignature | undefined;
  /** Signs what is asked for until `signal` fires, and then what is left, if Vault does it at once. */
  run(signal: AbortSignal): Promise<void>;
}

export type CountersignerDeps = {
  readonly vault: VaultCaller;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly now: () => Date;
  /** In [0, 1). */
  readonly random: () => number;
};

class CountersigningError extends SignetError<'COUNTERSIGNATURE_UNREADABLE'> {
  override readonly name = 'CountersigningError';
}

/** Logs beyond these are countersigned at their next checkpoint. */
const MOST_LOGS = 10_000;
const LONGEST_LINE = 8 * 1024;

export function createCountersigner(deps: CountersignerDeps): Countersigner {
  const { vault, log, now, random } = deps;
  const made = deps.metrics.counter(
    'signet_broker_countersignatures_total',
    'audit checkpoints countersigned',
  );
  const waiting = new Map<string, Asked>();
  const last = new Map<string, Countersignature>();
  let woken = new AbortController();

  const sign = async ({ file, ...asked }: Asked) => {
    const statement = { ...asked, time: now().toISOString() };
    const input = statementBytes(statement).toString('base64');
    const { data } = await vault.call<{ signature?: unknown }>('POST', `${MOUNTS.transit}/sign/audit`, {
      ...{ input, hash_algorithm: 'sha2-256', marshaling_algorithm: 'jws' },
    });
    const [, key, sig] = /^vault:v([1-9]\d{0,8}):([A-Za-z0-9_-]{86})$/.exec(String(data?.signature)) ?? [];
    if (sig === undefined)
      throw new CountersigningError('COUNTERSIGNATURE_UNREADABLE', 'transit gave no ES256 signature');
    const signed = { ...statement, key: Number(key), sig };
    await append(`${file}.countersigned`, signed);
    made.add();
    last.delete(file);
    if (last.size >= MOST_LOGS) last.delete(last.keys().next().value ?? '');
    last.set(file, signed);
  };
  /** @throws what Vault or the disk has against it; the log is then still waiting */
  const signNext = async () => {
    const [file, asked] = waiting.entries().next().value ?? [];
    if (file === undefined || asked === undefined) return;
    await sign(asked);
    if (waiting.get(file) === asked) waiting.delete(file);
  };

  return {
    ask(asked) {
      if (waiting.size < MOST_LOGS || waiting.has(asked.file)) waiting.set(asked.file, asked);
      woken.abort();
    },
    lastOf: (file) => last.get(file),
    async run(signal) {
      for (let failures = 0; !signal.aborted; ) {
        woken = new AbortController();
        try {
          while (waiting.size > 0) await signNext();
          failures = 0;
          await sleep(60_000, AbortSignal.any([signal, woken.signal]));
        } catch (error) {
          failures++;
          if (!signal.aborted) log.warn('countersigning_failed', { logs: waiting.size, reason: error });
          await sleep(retryDelay(failures, random()), signal);
        }
      }
      try {
        while (waiting.size > 0) await signNext();
      } catch (error) {
        log.warn('countersigning_failed', { logs: waiting.size, reason: error });
      }
    },
  };
}

/** A line that a crash cut off was never given to anybody, and is taken away. One of an earlier record stays alone. */
async function append(file: string, signed: Countersignature): Promise<void> {
  await using handle = await open(file, 'a+', 0o600);
  const { size } = await handle.stat();
  const length = Math.min(size, LONGEST_LINE);
  const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
  const end = buffer.lastIndexOf(0x0a);
  if (end + 1 < length) await handle.truncate(size - length + end + 1);
  const line = buffer.toString('utf8', buffer.lastIndexOf(0x0a, end - 1) + 1, Math.max(end, 0));
  if ((readCountersignature(line)?.seq ?? -1) >= signed.seq) return;
  await handle.appendFile(countersignatureLine(signed));
  await handle.datasync();
}
