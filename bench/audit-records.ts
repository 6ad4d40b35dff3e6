/**
 * What one audit record costs the thread that makes it, by where it goes: nothing, a file, a file that is full now and then, standard output, a
 * broker that takes all at once (in a thread of its own, and not measured). Made at a steady pace, as requests would: what is written
 * meanwhile is in it.
 *
 *     node bench/audit-records.ts [RECORDS] >/dev/null
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { createServer as createTls } from 'node:tls';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { createLog } from '../lib/adapter/log.ts';
import { createMetrics } from '../lib/adapter/metrics.ts';
import { collect, recordText, type Standing, textField, withFields } from '../lib/audit/index.ts';
import { parseSpiffeId } from '../lib/spiffe/index.ts';
import { type AuditWriterDeps, openAudit } from '../sidecar/audit/index.ts';
import { createCredentials } from '../sidecar/identity/credentials.ts';
import { createCa } from '../test/support/ca.ts';

const RECORDS = Number(process.argv[2] ?? 200_000);
/** So many between two turns of the event loop. */
const BURST = 20;
const ID = 'spiffe://example.org/ns/shop/sa/orders';
type Row = { readonly sink: string; readonly ns: number; readonly per_second: number };

if (isMainThread) await measure();
else await serve();

async function measure(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'signet-bench-audit-'));
  const worker = new Worker(new URL(import.meta.url));
  const { url, ca } = await new Promise<{ url: string; ca: string }>((resolve) =>
    worker.once('message', resolve),
  );
  const file = (name: string) => join(folder, name);
  const rotation = { bytes: 4 << 20, ageMs: null, keep: 2 };
  const broker = { trustDomain: 'example.org', url: new URL(url), ca };
  const collecting = { broker, bufferBytes: 64 << 20, whenFull: null };
  const rows = [
    await row('off', null),
    await row('file', { target: file('plain') }),
    await row('file, rotated each 4 MiB', { target: file('rotated'), rotation }),
    await row('standard output', { target: '-' }),
    await row('broker', { target: null, collecting }),
    await row('file and broker', { target: file('both'), collecting }),
  ];
  process.stderr.write(`${JSON.stringify(rows)}\n`);
  await worker.terminate();
  rmSync(folder, { recursive: true });
}

async function row(
  sink: string,
  target: Pick<AuditWriterDeps, 'target' | 'rotation' | 'collecting'> | null,
): Promise<Row> {
  const credentials = createCredentials();
  const authority = await createCa('example.org');
  const { privateKey, pem } = await authority.leaf(ID);
  const until = { issuedAt: new Date(), notAfter: new Date(Date.now() + 3_600_000) };
  credentials.publish({
    ...{
      id: parseSpiffeId(ID),
      serial: '01',
      key: privateKey,
      certChainPem: pem,
      bundlePem: authority.pem,
      ...until,
    },
  });
  const clock = { now: () => new Date() };
  const common = { credentials, clock, log: createLog({ level: 'error' }), metrics: createMetrics() };
  const audit = target === null ? null : await openAudit({ ...target, ...common });
  const [start, path] = [recordText('decision'), textField('path')];
  const rest = ' '.repeat(230);
  const run = async (records: number) => {
    for (let i = 0; i < records; ) {
      const now = clock.now();
      if (audit?.accepting !== false)
        for (let n = 0; n < BURST; n++, i++)
          audit?.record(withFields(start, path(`/orders/${i}${rest}`)), now);
      await setImmediate();
    }
  };
  await run(RECORDS / 10);
  const [cpu, began] = [process.threadCpuUsage(), performance.now()];
  await run(RECORDS);
  const { user, system } = process.threadCpuUsage(cpu);
  const seconds = (performance.now() - began) / 1_000;
  await audit?.close(30_000);
  return {
    sink,
    ns: Math.round(((user + system) * 1_000) / RECORDS),
    per_second: Math.round(RECORDS / seconds),
  };
}

/** A broker that checks what it is sent and keeps nothing. */
async function serve(): Promise<void> {
  const ca = await createCa('example.org');
  const own = await ca.leaf('spiffe://example.org/signet/broker');
  const standings = new Map<string, Standing>();
  const http = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const { log, lines } = JSON.parse(Buffer.concat(chunks).toString());
    const before = standings.get(log) ?? collect({ next: 0, hash: '' }, log, []).standing;
    const standing = lines.length === 0 ? before : follow(before, log, lines);
    standings.set(log, standing);
    response.end(JSON.stringify({ log, ...standing }));
  });
  const key = own.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const tls = createTls(
    { key, cert: own.pem, minVersion: 'TLSv1.3', ALPNProtocols: ['http/1.1'] },
    (socket) => http.emit('connection', socket),
  );
  tls.listen(0, '127.0.0.1', () => {
    const { port } = tls.address() as { port: number };
    parentPort?.postMessage({ url: `https://127.0.0.1:${port}`, ca: ca.pem });
  });
}

function follow(before: Standing, log: string, lines: readonly string[]): Standing {
  const first = JSON.parse(lines[0] ?? '{}') as { prev: string };
  return collect(before.hash === '' ? { next: 0, hash: first.prev } : before, log, lines).standing;
}
