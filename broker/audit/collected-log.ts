import { type FileHandle, open } from 'node:fs/promises';
import {
  AuditError,
  collect,
  NOTHING_COLLECTED,
  RESUME_TAIL_BYTES,
  type Sealed,
  type Standing,
} from '../../lib/audit/index.ts';

/** One log in its file. Calls of `append` must not overlap. */
export interface CollectedLog extends AsyncDisposable {
  readonly file: string;
  readonly standing: Standing;
  /**
   * Appends lines that go on from what is there, and has the disk keep them. When `judge` throws nothing is written.
   * @throws AuditError `AUDIT_NOT_NEXT`; the system's error, after which the log must be opened anew
   */
  append(lines: readonly string[], judge: (sealed: readonly Sealed[]) => void): Promise<readonly Sealed[]>;
}

/** @throws AuditError `AUDIT_RESUME_REFUSED` when the file is no log; the system's error */
export async function openCollectedLog(file: string, log: string): Promise<CollectedLog> {
  const handle = await open(file, 'a+', 0o600);
  try {
    let { standing, size } = await resume(handle, log);
    return {
      file,
      get standing() {
        return standing;
      },
      async append(lines, judge) {
        const { standing: after, sealed } = collect(standing, log, lines);
        judge(sealed);
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        try {
          await handle.appendFile(bytes);
          await handle.datasync();
        } catch (error) {
          await handle.truncate(size).catch(() => {});
          throw error;
        }
        size += bytes.length;
        standing = after;
        return sealed;
      },
      [Symbol.asyncDispose]: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** A line that a crash cut off was never acknowledged: it is taken away, and will come again. */
async function resume(handle: FileHandle, log: string): Promise<{ standing: Standing; size: number }> {
  const { size } = await handle.stat();
  if (size === 0) return { standing: NOTHING_COLLECTED, size };
  const length = Math.min(size, RESUME_TAIL_BYTES);
  const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
  const end = buffer.lastIndexOf(0x0a);
  if (end === -1 && length < size) throw refused();
  const whole = size - length + end + 1;
  if (whole < size) await handle.truncate(whole);
  if (end === -1) return { standing: NOTHING_COLLECTED, size: 0 };
  const line = buffer.toString('utf8', buffer.lastIndexOf(0x0a, end - 1) + 1, end);
  const seq: unknown = /^\{"seq":(\d+),/.exec(line)?.[1];
  const prev = /"prev":"([0-9a-f]{64})"/.exec(line)?.[1];
  if (seq === undefined || prev === undefined) throw refused();
  // as a step from where it says it came from, the last line tells where the log stands
  const { standing } = collect({ next: Number(seq), hash: prev }, log, [line]);
  return { standing, size: whole };
}

function refused(): AuditError {
  return new AuditError('AUDIT_RESUME_REFUSED', 'a collected log cannot be gone on with: it is none');
}
