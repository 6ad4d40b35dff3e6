import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../lib/adapter/log.ts';
import type { Counter } from '../../lib/adapter/metrics.ts';
import { AuditError, readSeal, type Sealed, type Standing } from '../../lib/audit/index.ts';
import type { SpiffeId } from '../../lib/spiffe/index.ts';
import type { Bundle } from '../../lib/svid/index.ts';
import { Problem } from '../problem.ts';
import { type CollectedLog, openCollectedLog } from './collected-log.ts';
import type { Countersigner } from './countersigner.ts';
import { folderOf } from './log-name.ts';

/** Who sends, by the SVID of the connection, and the authorities of now. */
export type Sender = { readonly id: SpiffeId; readonly bundle: Bundle };

/** The logs that sidecars send, one file to a log, in a folder for each workload. */
export interface Collection extends AsyncDisposable {
  /**
   * Appends lines; with none, it only tells how far the log is here. What it answers with is on the disk.
   * @throws Problem `audit_not_next`, `audit_unwritable`
   */
  append(sender: Sender, log: string, lines: readonly string[]): Promise<Standing>;
}

export type CollectionDeps = {
  readonly folder: string;
  readonly countersigner: Countersigner;
  readonly log: Log;
  /** Records collected, and batches refused. */
  readonly records: Counter;
  readonly refusals: Counter;
};

/** As many files are held open; others are opened when they are written to. */
const MOST_OPEN = 256;

/** `calls`: how many are not over yet. While there is one, nobody else may open the file. */
type Held = { opened: Promise<CollectedLog>; last: Promise<unknown>; calls: number };

/** @throws the system's error when the folder cannot be had */
export async function createCollection(deps: CollectionDeps): Promise<Collection> {
  const { folder, countersigner, records, refusals, log: told } = deps;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const held = new Map<string, Held>();

  /** Calls for one log wait for each other. */
  const withLog = async <T>(sender: Sender, log: string, work: (file: CollectedLog) => Promise<T>) => {
    const key = `${folderOf(sender.id)}/${log}`;
    const entry = held.get(key) ?? { opened: openAt(sender.id, log), last: Promise.resolve(), calls: 0 };
    held.delete(key);
    held.set(key, entry);
    const done = entry.last.catch(() => {}).then(async () => work(await entry.opened));
    entry.last = done;
    entry.calls++;
    try {
      return await done;
    } catch (error) {
      if (!(error instanceof Problem)) await forget(key, entry);
      throw error;
    } finally {
      entry.calls--;
      await closeSurplus();
    }
  };
  const openAt = async (id: SpiffeId, log: string) => {
    const home = join(folder, folderOf(id));
    await mkdir(home, { recursive: true, mode: 0o700 });
    return await openCollectedLog(join(home, `${log}.jsonl`), log);
  };
  const forget = async (key: string, entry: Held) => {
    if (held.get(key) === entry) held.delete(key);
    await entry.opened.then((file) => file[Symbol.asyncDispose]()).catch(() => {});
  };
  const closeSurplus = async () => {
    for (const [key, entry] of held) {
      if (held.size <= MOST_OPEN) return;
      if (entry.calls === 0) await forget(key, entry);
    }
  };

  return {
    async append(sender, log, lines) {
      try {
        return await withLog(sender, log, async (file) => {
          if (lines.length === 0) return file.standing;
          const sealed = await taken(file.append(lines, (found) => judge(sender, found)));
          records.add(lines.length);
          const last = vouched(sender, sealed);
          if (last !== undefined)
            countersigner.ask({ file: file.file, log, id: sender.id.toString(), ...last });
          return file.standing;
        });
      } catch (error) {
        if (error instanceof Problem) {
          refusals.add();
          told.warn('audit_refused', { spiffe_id: sender.id, log, reason: error.details.detail });
          throw error;
        }
        told.error('audit_write_failed', { spiffe_id: sender.id, log, reason: error });
        throw new Problem('audit_unwritable', { cause: error, retryAfterSeconds: 1 });
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(
        [...held].map(([key, entry]) => entry.last.catch(() => {}).then(() => forget(key, entry))),
      );
    },
  };
}

async function taken<T>(appending: Promise<T>): Promise<T> {
  try {
    return await appending;
  } catch (error) {
    if (!(error instanceof AuditError)) throw error;
    throw new Problem('audit_not_next', { detail: error.message, cause: error });
  }
}

/** A signature has to be over its line and by the sender. One whose certificate no authority of now knows may be from before a change of these. */
function judge({ id, bundle }: Sender, sealed: readonly Sealed[]): void {
  for (const { line, record } of sealed) {
    const read = readSeal(line, record, bundle);
    const flaw =
      read.flaw === 'signature'
        ? read.detail
        : read.id !== null && !read.id.equals(id)
          ? `is signed by ${read.id}`
          : null;
    if (flaw !== null) throw new AuditError('AUDIT_NOT_NEXT', `record ${record.seq}: ${flaw}`);
  }
}

/** The last of them that the sender has signed with a certificate that is known: it vouches for all before it. */
function vouched({ bundle }: Sender, sealed: readonly Sealed[]): { seq: number; hash: string } | undefined {
  const last = sealed.findLast(({ line, record }) => readSeal(line, record, bundle).id !== null);
  return last === undefined ? undefined : { seq: last.record.seq, hash: last.hash };
}
