import { close, constants, fdatasync, fstat, fsync, open, read, write } from 'node:fs';
import { readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import {
  type Chain,
  type FileHead,
  HEAD_BYTES,
  headOf,
  RESUME_TAIL_BYTES,
  type Resumed,
  resumeFrom,
  rotatedName,
  rotatedSeq,
} from '../../lib/audit/index.ts';
import type { AuditMark } from './index.ts';

/** When a file is full, and how many full ones are kept. Null bounds nothing. */
export type Rotation = {
  readonly bytes: number | null;
  readonly ageMs: number | null;
  readonly keep: number | null;
};

/** A file of the log that is full. */
export type FullFile = { readonly path: string; readonly firstSeq: number };

/** The files of one log as they are found at a start. A crash at any step of a rotation is made good by now. */
export type OpenedLog = {
  readonly chain: Chain;
  /** The name of the log; null where it has none yet. */
  readonly log: string | null;
  readonly fd: number;
  readonly size: number;
  /** To be written first, see `Resumed`. */
  readonly repair: string;
  /** Full ones, oldest first. */
  readonly full: readonly FullFile[];
  /** Whether the present file has no record of its own yet, and goes on from the last full one. */
  readonly goesOn: boolean;
  readonly firstSeq: number;
  /** When the present file was begun, in ms; null for now. */
  readonly since: number | null;
};

// descriptors and not handles: one that is written to must not be closed when nobody refers to it
const openFile = promisify(open);
const closeFile = promisify(close);
const readFrom = promisify(read);
const writeTo = promisify(write) as (fd: number, text: string) => Promise<unknown>;
const statOf = promisify(fstat);
const sync = promisify(fdatasync);

const APPEND = constants.O_APPEND | constants.O_CREAT | constants.O_RDWR;
const MODE = 0o600;

/**
 * Opens the file of a log, going on where it left off.
 * @throws AuditError AUDIT_RESUME_REFUSED when a file is no audit; the system's error when it cannot be opened
 */
export async function openLog(target: string, now: Date, mark?: AuditMark): Promise<OpenedLog> {
  const full = await fullFiles(target);
  let fd = await openFile(target, APPEND, MODE);
  try {
    let head = await beginningOf(fd);
    let { chain, repair, last } = await endOf(fd, now, await before(full, now), mark);
    const log = head.log ?? (await logOf(full));
    if (last?.type === 'rotated') {
      // the crash came before the file was put away
      if (repair !== '') await writeTo(fd, repair);
      const path = rotatedName(target, head.seq ?? 0);
      fd = await changeFile(target, path)(fd);
      full.push({ path, firstSeq: head.seq ?? 0 });
      head = { ...head, seq: null, time: null };
      repair = '';
    }
    return {
      ...{ chain, log, fd, repair, full, size: (await statOf(fd)).size },
      goesOn: head.seq === null && full.length > 0,
      firstSeq: head.seq ?? chain.state.seq,
      since: head.time === null ? null : Date.parse(head.time),
    };
  } catch (error) {
    await closeFile(fd);
    throw error;
  }
}

/**
 * Puts the present file away under the name of a full one, and begins another. Each step may be taken again.
 * `to` is null when somebody else has moved it already.
 */
export function changeFile(target: string, to: string | null): (fd: number) => Promise<number> {
  let moved = to === null;
  return async (fd) => {
    await sync(fd);
    if (!moved) await putAway(target, to ?? '');
    moved = true;
    const next = await openFile(target, APPEND, MODE);
    await syncFolder(target);
    await closeFile(fd);
    return next;
  };
}

/** Deletes files, when the records that say so are on the disk. */
export function deleteFiles(files: readonly FullFile[]): (fd: number) => Promise<number> {
  return async (fd) => {
    await sync(fd);
    for (const { path } of files) await unlink(path).catch(unlessGone);
    return fd;
  };
}

/** Whether somebody else has moved the file that is open. */
export async function isMoved(target: string, fd: number): Promise<boolean> {
  const [there, ours] = await Promise.all([stat(target).catch(() => null), statOf(fd)]);
  return there === null || there.ino !== ours.ino || there.dev !== ours.dev;
}

/** @throws the system's error, also when a file of that name is there: what is put away is never written over */
async function putAway(target: string, to: string): Promise<void> {
  const there = await stat(to).then(
    () => true,
    () => false,
  );
  if (there) throw Object.assign(new Error(`${to} is there already`), { code: 'EEXIST' });
  await rename(target, to);
  await syncFolder(target);
}

async function fullFiles(target: string): Promise<FullFile[]> {
  const folder = dirname(target);
  const start = `${basename(target)}.`;
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    // a folder that may be written to and not listed
    if (error.code === 'EACCES') return [];
    throw error;
  });
  return names
    .filter((name) => name.startsWith(start) && /^\d{12}$/.test(name.slice(start.length)))
    .sort()
    .map((name) => ({ path: join(folder, name), firstSeq: rotatedSeq(name) ?? 0 }));
}

/** Where the log stood at the end of the last full file. */
async function before(full: readonly FullFile[], now: Date): Promise<Chain['state'] | undefined> {
  return await ofLast(full, async (fd) => (await endOf(fd, now)).chain.state);
}

/** The name of the log, as the last full file has it. */
async function logOf(full: readonly FullFile[]): Promise<string | null> {
  return (await ofLast(full, async (fd) => (await beginningOf(fd)).log)) ?? null;
}

async function ofLast<T>(
  full: readonly FullFile[],
  look: (fd: number) => Promise<T>,
): Promise<T | undefined> {
  const last = full.at(-1);
  if (last === undefined) return undefined;
  const fd = await openFile(last.path, 'r');
  try {
    return await look(fd);
  } finally {
    await closeFile(fd);
  }
}

async function endOf(fd: number, now: Date, before?: Chain['state'], mark?: AuditMark): Promise<Resumed> {
  const { size } = await statOf(fd);
  const length = Math.min(size, RESUME_TAIL_BYTES);
  return resumeFrom(await readAt(fd, length, size - length), now, {
    ...(before === undefined ? {} : { before }),
    mark: mark ?? null,
  });
}

async function beginningOf(fd: number): Promise<FileHead> {
  const { size } = await statOf(fd);
  return headOf(await readAt(fd, Math.min(size, HEAD_BYTES), 0));
}

async function readAt(fd: number, length: number, position: number): Promise<Uint8Array> {
  if (length === 0) return new Uint8Array();
  const { buffer, bytesRead } = await readFrom(fd, Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

/** A name is on the disk when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await openFile(dirname(path), 'r');
  try {
    await promisify(fsync)(folder);
  } finally {
    await closeFile(folder);
  }
}

function unlessGone(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
