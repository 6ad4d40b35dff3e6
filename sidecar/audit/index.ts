import { sign } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { Clock } from '../../lib/adapter/clock.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import {
  type AuditEvent,
  type AuditSigner,
  createChain,
  RESUME_TAIL_BYTES,
  type RecordText,
  type Resumed,
  resumeFrom,
} from '../../lib/audit/index.ts';
import { pemToDer } from '../../lib/svid/index.ts';
import type { DecisionLog } from '../decide.ts';
import type { Credentials, Svid } from '../identity/credentials.ts';
import { AppendQueue } from './append-queue.ts';

export type AuditWriterDeps = {
  /** A file's path, or `-` for standard output. */
  readonly target: string;
  /** Fields of every record. */
  readonly mark?: AuditMark;
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Bytes of records that may wait for the disk before nothing more is decided. */
  readonly queueBytes?: number;
};

/** Tells the records of one process from those of others in the same stream. */
export type AuditMark = { readonly worker: number; readonly pid: number };

/** The audit of one sidecar: a chain of records in one file, with a signed checkpoint now and then. */
export interface AuditWriter extends DecisionLog, AsyncDisposable {
  /** Where the chain stands: how many records it has, and the hash of the last (hex SHA-256). */
  readonly head: { readonly records: number; readonly hash: string };
  /** Appends the closing record and waits for the disk, at most `deadlineMs`. @returns whether every record was written */
  close(deadlineMs: number): Promise<boolean>;
}

/**
 * Where one of several processes writes: each has a chain of its own, so a file of its own. Standard output takes the lines of all, and each
 * line says whose it is.
 */
export function auditOf(target: string, worker?: number): Pick<AuditWriterDeps, 'target' | 'mark'> {
  if (worker === undefined || target === '/dev/null') return { target };
  if (target === '-') return { target, mark: { worker, pid: process.pid } };
  return { target: worker === 1 ? target : `${target}.${worker}` };
}

const QUEUE_BYTES = 8 * 1024 * 1024;
const CHECKPOINT_LOOK_MS = 1_000;
const DISPOSE_MS = 5_000;
const STDOUT = 1;

/**
 * Opens the audit, going on where a file that exists left off.
 * @throws AuditError AUDIT_RESUME_REFUSED when the file is no audit; the system's error when it cannot be opened
 */
export async function openAudit(deps: AuditWriterDeps): Promise<AuditWriter> {
  const { credentials, clock, log, metrics, queueBytes = QUEUE_BYTES } = deps;
  const file = deps.target === '-' ? null : await open(deps.target, 'a+', 0o600);
  const { chain, repair } =
    file === null
      ? { chain: createChain(undefined, deps.mark), repair: '' }
      : await resume(file, clock.now());
  const records = metrics.counter('signet_audit_records_total', 'Audit records made');
  const state = metrics.gauge(
    'signet_audit_accepting',
    '0 while the audit cannot take a record and requests are refused',
  );
  const queue = new AppendQueue({
    fd: file?.fd ?? STDOUT,
    queueBytes,
    onFault: (error) => {
      state.set(error === null ? 1 : 0);
      if (error === null) log.info('audit_recovered');
      else log.error('audit_failing', { error });
    },
  });
  state.set(1);
  let closed = false;

  const record = (event: AuditEvent | RecordText, now: Date) => {
    queue.push(chain.append(event, now).line);
    records.add();
    checkpoint(now);
  };
  const checkpoint = (now: Date) => {
    if (!chain.checkpointDue(now) || !queue.accepting) return;
    const svid = credentials.current;
    if (svid !== null) queue.push(chain.checkpoint(signerOf(svid), now).line);
  };
  const recordSvid = (svid: Svid | null) => {
    const shown =
      svid === null ? { id: null } : { id: svid.id, serial: svid.serial, not_after: svid.notAfter };
    record({ type: 'svid', ...shown }, clock.now());
  };

  if (repair !== '') queue.push(repair);
  record({ type: 'start' }, clock.now());
  if (credentials.current !== null) recordSvid(credentials.current);
  const unsubscribe = credentials.subscribe(recordSvid);
  const timer = setInterval(() => checkpoint(clock.now()), CHECKPOINT_LOOK_MS);
  timer.unref();

  const close = async (deadlineMs: number) => {
    if (closed) return true;
    closed = true;
    clearInterval(timer);
    unsubscribe();
    const svid = credentials.current;
    queue.push(chain.stop(svid === null ? null : signerOf(svid), {}, clock.now()).line);
    const whole = await queue.flush(deadlineMs);
    if (!whole) log.error('audit_incomplete');
    queue.stop();
    await file?.close();
    return whole;
  };
  return {
    get accepting() {
      return !closed && queue.accepting;
    },
    get head() {
      const { seq, prev } = chain.state;
      return { records: seq, hash: prev };
    },
    record,
    close,
    [Symbol.asyncDispose]: async () => void (await close(DISPOSE_MS)),
  };
}

async function resume(file: FileHandle, now: Date): Promise<Resumed> {
  try {
    const { size } = await file.stat();
    const length = Math.min(size, RESUME_TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return resumeFrom(buffer.subarray(0, bytesRead), now);
  } catch (error) {
    await file.close();
    throw error;
  }
}

const signers = new WeakMap<Svid, AuditSigner>();

function signerOf(svid: Svid): AuditSigner {
  let signer = signers.get(svid);
  if (signer === undefined) {
    signer = {
      chainDer: pemToDer(svid.certChainPem),
      sign: (data: Uint8Array) => sign('sha256', data, { key: svid.key, dsaEncoding: 'ieee-p1363' }),
    };
    signers.set(svid, signer);
  }
  return signer;
}
