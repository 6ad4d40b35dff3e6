import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { AuditError } from '../../../lib/audit/index.ts';
import { AppendQueue } from '../../../sidecar/audit/append-queue.ts';
import { type AuditWriterDeps, openAudit } from '../../../sidecar/audit/index.ts';
import { createCredentials } from '../../../sidecar/identity/credentials.ts';
import { until } from '../sockets.ts';
import { type Authority, authority, clock, credentialsFor, ORDERS, quiet, svid } from '../support.ts';

describe('audit writer', () => {
  let folder = '';
  let ca: Authority;
  before(async () => {
    ca = await authority();
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'signet-audit-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const deps = async (more: Partial<AuditWriterDeps> = {}): Promise<AuditWriterDeps> => ({
    target: join(folder, 'audit.jsonl'),
    credentials: await credentialsFor(ca, ORDERS),
    clock,
    log: quiet,
    metrics: createMetrics(),
    ...more,
  });
  const records = (file = 'audit.jsonl') =>
    readFileSync(join(folder, file), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const decision = (path: string) => ({ type: 'decision', path });

  it('writes every record in order, from the start of the run to its signed end', async () => {
    const credentials = await credentialsFor(ca, ORDERS);
    const audit = await openAudit(await deps({ credentials }));
    audit.record(decision('/a'), new Date());
    credentials.publish(await svid(ca.issuer, ca.root, ORDERS));
    audit.record(decision('/b'), new Date());
    assert.equal(await audit.close(5_000), true);
    assert.deepEqual(
      records().map(({ type }) => type),
      ['start', 'svid', 'decision', 'svid', 'decision', 'stop'],
    );
    assert.deepEqual(
      records().map(({ seq }) => seq),
      [0, 1, 2, 3, 4, 5],
    );
    assert.ok('sig' in records().at(-1)!);
  });

  it('goes on with the chain of a file that is there', async () => {
    for (const path of ['/a', '/b']) {
      await using audit = await openAudit(await deps());
      audit.record(decision(path), new Date());
    }
    const seqs = records().map(({ seq }) => seq);
    assert.deepEqual(
      seqs,
      seqs.map((_, i) => i),
    );
    assert.equal(records().filter(({ type }) => type === 'start').length, 2);
  });

  it('mends a line that a crash tore, and does not lose what came before it', async () => {
    await using first = await openAudit(await deps());
    first.record(decision('/a'), new Date());
    await first.close(5_000);
    const whole = readFileSync(join(folder, 'audit.jsonl'), 'utf8');
    writeFileSync(join(folder, 'audit.jsonl'), `${whole}{"seq":4,"time":"2026-`);
    await using second = await openAudit(await deps());
    await second.close(5_000);
    assert.ok(readFileSync(join(folder, 'audit.jsonl'), 'utf8').startsWith(whole));
    assert.match(readFileSync(join(folder, 'audit.jsonl'), 'utf8').slice(whole.length), /"type":"recovered"/);
  });

  it('refuses a file that is no audit', async () => {
    writeFileSync(join(folder, 'audit.jsonl'), 'shopping list\n');
    await assert.rejects(openAudit(await deps()), AuditError);
  });

  it('signs a checkpoint after a thousand records, and only with an SVID', async () => {
    const credentials = createCredentials();
    await using audit = await openAudit(await deps({ credentials }));
    for (let i = 0; i < 1_500; i++) audit.record(decision('/a'), new Date());
    credentials.publish(await svid(ca.issuer, ca.root, ORDERS));
    for (let i = 0; i < 1_500; i++) audit.record(decision('/a'), new Date());
    await audit.close(5_000);
    const types = records().map(({ type }) => type);
    assert.equal(types.filter((type) => type === 'checkpoint').length, 2);
    assert.equal(types.indexOf('checkpoint'), types.indexOf('svid') + 1);
  });

  it('accepts nothing once its queue is full, nor after it was closed', async () => {
    const audit = await openAudit(await deps({ queueBytes: 4_096 }));
    for (let i = 0; audit.accepting && i < 1_000; i++) audit.record(decision('/a'), new Date());
    assert.equal(audit.accepting, false);
    await until(() => audit.accepting);
    await audit.close(5_000);
    assert.equal(audit.accepting, false);
    assert.equal(records().at(-1)!['type'], 'stop');
  });
});

describe('append queue', () => {
  it('accepts nothing while the disk fails, keeps what it has, and says what is missing', async () => {
    const faults: (string | null)[] = [];
    const fd = openSync('/dev/full', 'w');
    const queue = new AppendQueue({
      fd,
      queueBytes: 1_000_000,
      onFault: (error) => faults.push(error?.code ?? null),
    });
    assert.equal(queue.accepting, true);
    queue.push('line\n');
    await until(() => !queue.accepting);
    assert.deepEqual(faults, ['ENOSPC']);
    assert.equal(await queue.flush(200), false);
    queue.stop();
  });

  it('writes every line in order, however they come, through pages that are used again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'signet-queue-'));
    const fd = openSync(join(folder, 'lines'), 'a');
    const queue = new AppendQueue({ fd, queueBytes: 64_000_000, onFault: () => {} });
    let want = '';
    for (let i = 0; i < 60_000; i++) {
      const line = `line ${i} ${'é'.repeat(i % 397)}\n`;
      queue.push(line);
      want += line;
      if (i % 700 === 0) await (i < 20_000 ? setTimeout(i % 7) : setImmediate());
    }
    queue.push(`${'long'.repeat(200_000)}\n`);
    want += `${'long'.repeat(200_000)}\n`;
    assert.equal(await queue.flush(5_000), true);
    assert.equal(readFileSync(join(folder, 'lines'), 'utf8'), want);
    rmSync(folder, { recursive: true });
  });

  it('keeps what a slow reader has not taken, while its pages fill again and again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'signet-queue-'));
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const fd = openSync(pipe, 'r+');
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const queue = new AppendQueue({ fd, queueBytes: 64_000_000, onFault: () => {} });
    const piece = Buffer.alloc(12_000);
    // more than a pipe takes: its writing stands still within a page that goes on filling
    let [want, got] = [`${'first'.repeat(20_000)}\n`, ''];
    queue.push(want);
    await setTimeout(30);
    const read = () => {
      try {
        got += piece.toString('latin1', 0, readSync(reader, piece));
      } catch {
        // nothing there yet
      }
    };
    for (let i = 0; want.length < 3_000_000; i++) {
      const line = `line ${i} ${'x'.repeat(i % 997)}\n`;
      queue.push(line);
      want += line;
      if (i % 97 !== 0) continue;
      await setTimeout(1);
      if (want.length > 400_000) read();
    }
    const flushed = queue.flush(8_000);
    while (got.length < want.length) {
      read();
      await setTimeout(1);
    }
    assert.equal(await flushed, true);
    assert.equal(got, want);
    for (const each of [fd, reader]) closeSync(each);
    rmSync(folder, { recursive: true });
  });
});
