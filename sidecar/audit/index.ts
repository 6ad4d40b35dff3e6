import { randomBytes, sign } from 'node:crypto';
import type { Clock } from '../../lib/adapter/clock.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import {
  type Appended,
  type AuditEvent,
  type AuditSigner,
  createChain,
  type RecordText,
} from '../../lib/audit/index.ts';
import { pemToDer } from '../../lib/svid/index.ts';
import type { DecisionLog } from '../decide.ts';
import type { Credentials, Svid } from '../identity/credentials.ts';
import { AppendQueue } from './append-queue.ts';
import type { Collecting, Collector } from './collector.ts';
import { createFileSink, type FileSink } from './file-sink.ts';
import { openLog, type Rotation } from './log-file.ts';

export type AuditWriterDeps = {
  /** A file's path, or `-` for standard output. Null: the broker alone. */
  readonly target: string | null;
  /** Standard output too, beside a file. */
  readonly stdout?: boolean;
  readonly rotation?: Rotation;
  /** The broker that collects the log. */
  readonly collecting?: Collecting;
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

/** The audit of one sidecar: a chain of records, with a signed checkpoint now and then, written to a file, a stream, a broker. */
export interface AuditWriter extends DecisionLog, AsyncDisposable {
  /** Where the chain stands: how many records it has, and the hash of the last (hex SHA-256). */
  readonly head: { readonly records: number; readonly hash: string };
  /** How far the broker has it; null where none collects it. */
  readonly collected: Collector['status'] | null;
  /** Somebody else may have moved the file: then another is begun. */
  reopen(): Promise<void>;
  /** Appends the closing record and waits for the disk and the broker, at most `deadlineMs`. @returns whether every record was taken */
  close(deadlineMs: number): Promise<boolean>;
}

const QUEUE_BYTES = 8 * 1024 * 1024;
const LOOK_MS = 1_000;
const DISPOSE_MS = 5_000;
const STDOUT = 1;

/**
 * Opens the audit, going on where a file that exists left off.
 * @throws AuditError AUDIT_RESUME_REFUSED when the file is no audit; the system's error when it cannot be opened
 */
export async function openAudit(deps: AuditWriterDeps): Promise<AuditWriter> {
  const { credentials, clock, log, metrics, target, mark, queueBytes = QUEUE_BYTES } = deps;
  const opened = target === null || target === '-' ? null : await openLog(target, clock.now(), mark);
  const chain = opened?.chain ?? createChain(undefined, mark);
  const name = opened?.log ?? randomBytes(16).toString('base64url');
  const records = metrics.counter('signet_audit_records_total', 'Audit records made');
  const state = metrics.gauge(
    'signet_audit_accepting',
    '0 while the audit cannot take a record and requests are refused',
  );
  const onFault = (error: NodeJS.ErrnoException | null) => {
    state.set(error === null ? 1 : 0);
    if (error === null) log.info('audit_recovered');
    else log.error('audit_failing', { error });
  };
  state.set(1);
  const signer = () => (credentials.current === null ? null : signerOf(credentials.current));

  const stdout = target === '-' || deps.stdout ? new AppendQueue({ fd: STDOUT, queueBytes, onFault }) : null;
  const file: FileSink | null =
    opened === null || target === null
      ? null
      : createFileSink({
          ...{ target, opened, chain, name, clock, queueBytes, onFault, signer },
          rotation: deps.rotation ?? null,
          put: (made) => put(made),
          log,
        });
  const collector = await collectorOf();
  let closed = false;

  /** To everyone that takes records, in the order in which they were made. */
  const put = ({ line, state: { seq } }: Appended) => {
    file?.push(line);
    stdout?.push(line);
    collector?.push(line, seq - 1);
  };
  const accepting = () =>
    (file === null || file.accepting) &&
    (stdout === null || stdout.accepting) &&
    (collector === null || collector.accepting);
  const checkpoint = (now: Date) => {
    if (!chain.checkpointDue(now) || !accepting()) return;
    const by = signer();
    if (by !== null) put(chain.checkpoint(by, now));
  };
  const record = (event: AuditEvent | RecordText, now: Date) => {
    if (collector !== null) admitDropped(now);
    put(chain.append(event, now));
    records.add();
    checkpoint(now);
    file?.settle(now);
  };
  /** What never reached the broker is told in the log itself, right after the gap. */
  const admitDropped = (now: Date) => {
    const from = collector?.gap ?? null;
    if (from === null || collector === null) return;
    const to = chain.state.seq - 1;
    collector.closeGap();
    log.warn('audit_dropped', { from, to });
    put(chain.note('dropped', { log: name, sink: 'broker', from, to }, now));
  };
  const recordSvid = (svid: Svid | null) => {
    const shown =
      svid === null ? { id: null } : { id: svid.id, serial: svid.serial, not_after: svid.notAfter };
    record({ type: 'svid', ...shown }, clock.now());
  };

  async function collectorOf(): Promise<Collector | null> {
    if (deps.collecting === undefined) return null;
    const { createCollector } = await import('./collector.ts');
    const elsewhere = file !== null || stdout !== null;
    const { collecting } = deps;
    return createCollector({
      ...collecting,
      name,
      firstSeq: chain.state.seq,
      elsewhere,
      file,
      credentials,
      log,
      metrics,
    });
  }

  file?.begin(clock.now());
  record({ type: 'start', log: name }, clock.now());
  if (credentials.current !== null) recordSvid(credentials.current);
  const unsubscribe = credentials.subscribe(recordSvid);
  const timer = setInterval(() => {
    const now = clock.now();
    checkpoint(now);
    file?.settle(now);
    if (collector !== null) admitDropped(now);
  }, LOOK_MS);
  timer.unref();

  const close = async (deadlineMs: number) => {
    if (closed) return true;
    closed = true;
    clearInterval(timer);
    unsubscribe();
    const now = clock.now();
    collector?.end();
    admitDropped(now);
    put(chain.stop(signer(), {}, now));
    const taken = await Promise.all([
      file?.close(deadlineMs) ?? true,
      stdout?.flush(deadlineMs) ?? true,
      collector?.close(deadlineMs) ?? true,
    ]);
    stdout?.stop();
    const whole = taken.every(Boolean);
    if (!whole) log.error('audit_incomplete');
    return whole;
  };
  return {
    get accepting() {
      return !closed && accepting();
    },
    get head() {
      const { seq, prev } = chain.state;
      return { records: seq, hash: prev };
    },
    get collected() {
      return collector?.status ?? null;
    },
    record,
    reopen: async () => {
      if (!closed) await file?.reopen();
    },
    close,
    [Symbol.asyncDispose]: async () => void (await close(DISPOSE_MS)),
  };
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
