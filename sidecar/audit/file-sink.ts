import { close } from 'node:fs';
import { basename } from 'node:path';
import type { Clock } from '../../lib/adapter/clock.ts';
import type { Log } from '../../lib/adapter/log.ts';
import { type Appended, type AuditSigner, type Chain, rotatedName } from '../../lib/audit/index.ts';
import { AppendQueue } from './append-queue.ts';
import {
  changeFile,
  deleteFiles,
  type FullFile,
  isMoved,
  type OpenedLog,
  type Rotation,
} from './log-file.ts';

export type FileSinkDeps = {
  readonly target: string;
  readonly opened: OpenedLog;
  readonly chain: Chain;
  /** Of the log. */
  readonly name: string;
  readonly rotation: Rotation | null;
  readonly clock: Clock;
  readonly queueBytes: number;
  readonly onFault: (error: NodeJS.ErrnoException | null) => void;
  /** Null while there is no SVID. */
  readonly signer: () => AuditSigner | null;
  /** Gives a record to all sinks, this one too. */
  readonly put: (made: Appended) => void;
  readonly log: Log;
};

/** The log in a file that is put away when it is full; the log then goes on in another of the same name. */
export interface FileSink {
  readonly accepting: boolean;
  /** Writes what the file needs before its first record of this run. */
  begin(now: Date): void;
  push(line: string): void;
  /** Begins another file if this one is full. Called after each record. */
  settle(now: Date): void;
  /** Begins another file if somebody else has moved this one. */
  reopen(): Promise<void>;
  /** All files of the log, oldest first. */
  files(): FullFile[];
  close(deadlineMs: number): Promise<boolean>;
}

export function createFileSink(deps: FileSinkDeps): FileSink {
  const { target, opened, chain, name, rotation, put, log } = deps;
  const queue = new AppendQueue({ fd: opened.fd, queueBytes: deps.queueBytes, onFault: deps.onFault });
  const full = [...opened.full];
  const most = rotation?.bytes ?? Number.POSITIVE_INFINITY;
  const oldest = rotation?.ageMs ?? Number.POSITIVE_INFINITY;
  let { size, firstSeq } = opened;
  let since = opened.since ?? deps.clock.now().getTime();
  let changing = false;

  /** The record with which the present file begins. */
  const goOn = (from: FullFile | null, now: Date) => {
    const { seq, prev } = chain.state;
    const file = from === null ? null : basename(from.path);
    put(chain.note('continued', { log: name, after: { file, seq: seq - 1, sha256: prev } }, now));
  };
  const change = (moved: boolean, now: Date) => {
    const signer = deps.signer();
    // who cannot sign the end of a file goes on with it until it can
    if (signer === null || changing || !queue.accepting) return;
    changing = true;
    const from = moved ? null : { path: rotatedName(target, firstSeq), firstSeq };
    const file = from === null ? null : basename(from.path);
    put(chain.rotate(signer, { log: name, file, next: chain.state.seq + 1 }, now));
    const step = changeFile(target, from?.path ?? null);
    queue.turn(async (fd) => {
      const next = await step(fd);
      changing = false;
      log.info('audit_rotated', { file: from?.path ?? null });
      return next;
    });
    if (from !== null) full.push(from);
    ({ seq: firstSeq } = chain.state);
    size = 0;
    since = now.getTime();
    goOn(from, now);
    thin(now);
  };
  /** Deletes the oldest of the full files, when the log has said so, and has signed it: else anyone could have. */
  const thin = (now: Date) => {
    const signer = deps.signer();
    if (signer === null || rotation === null || rotation.keep === null || full.length <= rotation.keep)
      return;
    const surplus = full.splice(0, full.length - rotation.keep);
    for (const [i, { path, firstSeq: from }] of surplus.entries()) {
      const to = (surplus[i + 1]?.firstSeq ?? full[0]?.firstSeq ?? firstSeq) - 1;
      put(chain.note('removed', { log: name, file: basename(path), from, to }, now));
    }
    put(chain.checkpoint(signer, now));
    queue.turn(deleteFiles(surplus));
  };

  return {
    get accepting() {
      return queue.accepting;
    },
    begin(now) {
      if (opened.repair !== '') size += queue.push(opened.repair);
      if (opened.goesOn) goOn(full.at(-1) ?? null, now);
      if (rotation !== null) thin(now);
    },
    push(line) {
      size += queue.push(line);
    },
    settle(now) {
      const isFull = size >= most || now.getTime() - since >= oldest;
      // one in which nothing is but its beginning and a checkpoint is not full, however old
      if (isFull && chain.state.seq > firstSeq + 2) change(false, now);
    },
    async reopen() {
      if (await isMoved(target, queue.fd)) change(true, deps.clock.now());
    },
    files: () => [...full, { path: target, firstSeq }],
    async close(deadlineMs) {
      const whole = await queue.flush(deadlineMs);
      queue.stop();
      await new Promise<void>((resolve) => close(queue.fd, () => resolve()));
      return whole;
    },
  };
}
