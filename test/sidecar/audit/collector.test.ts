import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { collect, NOTHING_COLLECTED, type VerifyOptions } from '../../../lib/audit/index.ts';
import { type AuditWriter, type AuditWriterDeps, openAudit } from '../../../sidecar/audit/index.ts';
import {
  type Answer,
  type Asked,
  type ScriptedBroker,
  startScriptedBroker,
} from '../../fakes/scripted-broker.ts';
import { check, found } from '../../lib/audit/log.ts';
import { until } from '../sockets.ts';
import { type Authority, authority, clock, credentialsFor, ORDERS, quiet, svid } from '../support.ts';

/** A broker that keeps what it is sent, by the rules of the real one. */
class Keeper {
  standing = NOTHING_COLLECTED;
  readonly lines: string[] = [];
  batches = 0;
  /** Answers instead of keeping anything. */
  refuses: Answer | 'drop' | 'silence' | null = null;

  answer({ body }: Asked): Answer | 'drop' | 'silence' {
    if (this.refuses !== null) return this.refuses;
    this.batches += body.lines.length > 0 ? 1 : 0;
    try {
      ({ standing: this.standing } = collect(this.standing, body.log, body.lines));
    } catch (error) {
      return { status: 409, body: { code: 'audit_not_next', detail: (error as Error).message } };
    }
    this.lines.push(...body.lines.map((line: string) => `${line}\n`));
    return { status: 200, body: { log: body.log, ...this.standing } };
  }
}

describe('the broker as an audit sink', () => {
  let folder = '';
  let ca: Authority;
  let options: VerifyOptions;
  let broker: ScriptedBroker;
  let keeper: Keeper;
  before(async () => {
    ca = await authority();
    const authorities = [ca.root.der];
    options = { bundle: { trustDomain: 'example.org', sequence: 1, refreshHintSeconds: null, authorities } };
    const none = { address: '', root: { der: new Uint8Array() }, wrap: () => '' };
    broker = await startScriptedBroker({ vault: none });
  });
  after(() => broker[Symbol.asyncDispose]());
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'signet-collector-'));
    keeper = new Keeper();
    broker.answers = { '/v1/audit': (asked) => keeper.answer(asked) };
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const opened = async (
    target: string | null,
    collecting: Partial<AuditWriterDeps['collecting'] & object> = {},
    more: Partial<AuditWriterDeps> = {},
  ): Promise<AuditWriter> =>
    openAudit({
      target: target === null ? null : join(folder, target),
      collecting: {
        broker: { trustDomain: 'example.org', url: broker.url, ca: broker.ca },
        ...{ bufferBytes: 8 << 20, whenFull: null, ...collecting },
      },
      credentials: await credentialsFor(ca, ORDERS),
      ...{ clock, log: quiet, metrics: createMetrics(), ...more },
    });
  const fill = (audit: AuditWriter, records: number) => {
    for (let i = 0; i < records; i++) audit.record({ type: 'decision', path: `/a/${i}` }, new Date());
  };
  const caughtUp = (audit: AuditWriter) =>
    until(() => (audit.collected?.acknowledged ?? -1) === audit.head.records);

  it('has every record, in batches, and the end of the run; both copies are the same', async () => {
    const audit = await opened('audit.jsonl');
    fill(audit, 2_500);
    await caughtUp(audit);
    fill(audit, 10);
    assert.equal(await audit.close(5_000), true);
    assert.equal(keeper.lines.join(''), readFileSync(join(folder, 'audit.jsonl'), 'utf8'));
    assert.deepEqual([found(check(keeper.lines, options)), check(keeper.lines, options).end], [[], 'closed']);
    assert.ok(keeper.batches < 20, `${keeper.batches}`);
    assert.deepEqual([audit.collected?.behind, audit.collected?.dropped], [0, 0]);
  });

  it('goes on after lost connections and lost answers, with nothing twice and nothing missing', async () => {
    await using audit = await opened(null);
    let asked = 0;
    broker.answers = {
      '/v1/audit': (one) => {
        const answer = keeper.answer(one);
        asked++;
        return asked % 3 === 0 ? 'drop' : answer;
      },
    };
    for (let i = 0; i < 6; i++) {
      fill(audit, 50);
      await caughtUp(audit);
    }
    await audit.close(5_000);
    assert.deepEqual(found(check(keeper.lines, options)), []);
    assert.ok(keeper.lines.length > 300);
  }).timeout(30_000);

  it('alone and full, it refuses: nothing is decided until the broker has taken what waits', async () => {
    keeper.refuses = { status: 503, body: { code: 'audit_unwritable' } };
    await using audit = await opened(null, { bufferBytes: 20_000 });
    for (let i = 0; audit.accepting && i < 1_000; i++) fill(audit, 1);
    assert.equal(audit.accepting, false);
    await until(() => audit.collected?.failure === 'audit_unwritable');
    keeper.refuses = null;
    await until(() => audit.accepting);
    await caughtUp(audit);
    await audit.close(5_000);
    assert.deepEqual(found(check(keeper.lines, options)), []);
    assert.equal(check(keeper.lines, options).admittedRecords, 0);
  }).timeout(20_000);

  it('told to drop, it drops, counts, and says in the log itself which records; the copy verifies but is not complete', async () => {
    keeper.refuses = 'drop';
    const metrics = createMetrics();
    const audit = await opened(null, { bufferBytes: 20_000, whenFull: 'drop' }, { metrics });
    fill(audit, 1_000);
    assert.equal(audit.accepting, true);
    keeper.refuses = null;
    await until(() => keeper.lines.length > 0);
    fill(audit, 5);
    await until(() => keeper.lines.some((line) => line.includes('"type":"dropped"')));
    fill(audit, 5);
    await audit.close(5_000);
    const report = check(keeper.lines, options);
    assert.deepEqual([found(report), report.end], [[], 'closed']);
    const [range, ...others] = report.logs[0]!.admitted;
    assert.deepEqual([others, range!.to - range!.from + 1], [[], report.admittedRecords]);
    assert.ok(report.admittedRecords > 800);
    assert.match(metrics.render(), new RegExp(`^signet_audit_dropped_total ${report.admittedRecords}$`, 'm'));
    assert.deepEqual(found(check(keeper.lines, { ...options, complete: true })).length, 1);
    const at = keeper.lines.findIndex((line) => line.includes('"type":"dropped"'));
    assert.deepEqual(
      check(keeper.lines.toSpliced(at - 1, 1), options).findings.map(({ kind, message }) => [kind, message]),
      [['dropped', `record ${range!.from - 1} is missing before it`]],
      'more than was admitted',
    );
  }).timeout(20_000);

  it('admits at its end what was dropped until then', async () => {
    keeper.refuses = 'drop';
    const audit = await opened(null, { bufferBytes: 20_000, whenFull: 'drop' });
    fill(audit, 500);
    const closing = audit.close(8_000);
    keeper.refuses = null;
    assert.equal(await closing, true);
    const report = check(keeper.lines, options);
    assert.deepEqual([found(report), report.end, report.logs[0]!.admitted.length], [[], 'closed', 1]);
  }).timeout(20_000);

  it('beside a file, it holds little in memory and reads the rest back, over rotations too', async () => {
    keeper.refuses = 'drop';
    const rotation = { bytes: 30_000, ageMs: null, keep: null };
    await using audit = await opened('audit.jsonl', { bufferBytes: 10_000 }, { rotation });
    for (let i = 0; i < 30; i++) {
      fill(audit, 40);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    keeper.refuses = null;
    await caughtUp(audit);
    await audit.close(5_000);
    const report = check(keeper.lines, options);
    assert.deepEqual([found(report), report.end, report.admittedRecords], [[], 'closed', 0]);
    assert.ok(keeper.lines.filter((line) => line.includes('"type":"rotated"')).length > 2);
  }).timeout(20_000);

  it('after a restart it is sent what it does not have, from the file', async () => {
    keeper.refuses = 'drop';
    {
      await using audit = await opened('audit.jsonl');
      fill(audit, 300);
      await audit.close(50);
    }
    keeper.refuses = null;
    await using audit = await opened('audit.jsonl');
    await caughtUp(audit);
    await audit.close(5_000);
    assert.equal(keeper.lines.join(''), readFileSync(join(folder, 'audit.jsonl'), 'utf8'));
  }).timeout(20_000);

  it('what no file has any more is admitted, when the broker has lost what it had', async () => {
    await using audit = await opened(null);
    fill(audit, 100);
    await caughtUp(audit);
    const lostOne = keeper;
    keeper = new Keeper();
    lostOne.refuses = 'drop';
    await until(() => broker.asked.length > 0);
    broker.answers = {
      '/v1/audit': (() => {
        let first = true;
        return (asked: Asked) => {
          if (first) {
            first = false;
            return 'drop' as const;
          }
          return keeper.answer(asked);
        };
      })(),
    };
    fill(audit, 5);
    await until(() => keeper.lines.length > 0);
    fill(audit, 5);
    await audit.close(5_000);
    const report = check(keeper.lines, options);
    assert.deepEqual([found(report), report.logs[0]!.admitted[0]!.from], [[], 0]);
    assert.ok(report.admittedRecords >= 100);
  }).timeout(20_000);

  it('sends with the SVID that counts now', async () => {
    const credentials = await credentialsFor(ca, ORDERS);
    await using audit = await opened(null, {}, { credentials });
    await caughtUp(audit);
    const connection = broker.asked.at(-1)?.connection;
    credentials.publish(await svid(ca.issuer, ca.root, ORDERS));
    fill(audit, 1);
    await caughtUp(audit);
    assert.notEqual(broker.asked.at(-1)?.connection, connection);
  }).timeout(20_000);

  it('does not write over what the broker has: a file that was put back is told, and refused', async () => {
    {
      await using audit = await opened('audit.jsonl');
      fill(audit, 20);
      await caughtUp(audit);
    }
    const lines = readFileSync(join(folder, 'audit.jsonl'), 'utf8').split('\n');
    writeFileSync(join(folder, 'audit.jsonl'), `${lines.slice(0, 5).join('\n')}\n`);
    const before = keeper.lines.join('');
    await using audit = await opened('audit.jsonl');
    await until(() => audit.collected?.failure === 'audit_behind_broker');
    await audit.close(50);
    assert.equal(keeper.lines.join(''), before);
  }).timeout(20_000);
});
