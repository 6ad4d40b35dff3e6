import assert from 'node:assert/strict';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { type Calls, openCalls } from '../../../sidecar/calls/index.ts';
import { createCredentials } from '../../../sidecar/identity/credentials.ts';
import type { Observation } from '../../../sidecar/observe.ts';
import { type Answer, type ScriptedBroker, startScriptedBroker } from '../../fakes/scripted-broker.ts';
import { silentLog } from '../../support/silent-log.ts';
import { until } from '../sockets.ts';
import { type Authority, authority, credentialsFor, ORDERS, WEB } from '../support.ts';

const MINUTE = 60_000;
const SECRET = 'planted-secret';

describe('telling the broker of calls', () => {
  let ca: Authority;
  let broker: ScriptedBroker;
  let answer: () => Answer | 'drop' | 'silence';
  let now = 0;
  before(async () => {
    ca = await authority();
    const none = { address: '', root: { der: new Uint8Array() }, wrap: () => '' };
    broker = await startScriptedBroker({ vault: none });
  });
  after(() => broker[Symbol.asyncDispose]());
  beforeEach(() => {
    (broker.asked as unknown[]).length = 0;
    answer = () => ({ status: 204, body: undefined });
    broker.answers = { '/v1/calls': () => answer() };
    now = 100 * MINUTE;
  });

  const opened = async (pauseMs: number, credentials = undefined as never) => {
    const metrics = createMetrics();
    const calls = openCalls({
      broker: { trustDomain: 'example.org', url: broker.url, ca: broker.ca },
      credentials: credentials ?? (await credentialsFor(ca, ORDERS)),
      clock: { now: () => new Date(now) },
      ...{ log: silentLog, metrics, pauseMs },
    });
    const count = (name: string) =>
      Number(new RegExp(`^signet_calls_${name}_total (\\d+)$`, 'm').exec(metrics.render())?.[1]);
    return { calls, counts: () => [count('told'), count('lost')] };
  };
  const call = (calls: Calls, more: Partial<Observation> = {}) =>
    calls.observed({
      ...{ side: 'inbound', caller: WEB, upstream: '', method: 'GET', path: '/orders/7', effect: 'allow' },
      ...{ rule: 'may', dryRun: 0, decision: 'd', code: '', status: 200, received: 0, sent: 0, whole: true },
      ...{ ms: 1, at: now, trace: null, ...more },
    });
  const told = () => broker.asked.map(({ body }) => [body.minute, body.rows[0].count]);

  it('tells of a minute when it is over, with the SVID, and of the last one at the end', async () => {
    const { calls, counts } = await opened(5);
    call(calls);
    call(calls);
    call(calls, { side: 'outbound', caller: '' });
    now += MINUTE;
    await until(() => counts()[0] === 2);
    call(calls);
    assert.equal(broker.asked.length, 1);
    await calls.close(2_000);
    assert.deepEqual(told(), [
      [100, 2],
      [101, 1],
    ]);
    assert.ok(broker.asked.every(({ client }) => client !== undefined));
    assert.deepEqual(
      broker.asked.map(({ body }) => body.seq),
      [0, 1],
    );
    assert.equal(new Set(broker.asked.map(({ body }) => body.reporter)).size, 1);
    assert.deepEqual(counts(), [3, 0]);
  });

  it('says nothing where nobody called', async () => {
    const { calls } = await opened(MINUTE);
    await calls.close(2_000);
    assert.equal(broker.asked.length, 0);
  });

  it('has nothing of what an observer is not to tell', async () => {
    const { calls } = await opened(MINUTE);
    const trace = { correlation: SECRET, state: SECRET, parentId: SECRET } as never;
    call(calls, { trace, upstream: SECRET, method: SECRET });
    await calls.close(2_000);
    assert.equal(broker.asked.length, 1);
    assert.ok(!JSON.stringify(broker.asked[0]!.body).includes(SECRET));
  });

  it('tries again, by the same number', async () => {
    const { calls, counts } = await opened(5);
    answer = () => (broker.asked.length > 1 ? { status: 204, body: undefined } : 'drop');
    call(calls);
    now += MINUTE;
    await until(() => counts()[0] === 1);
    assert.deepEqual(
      broker.asked.map(({ body }) => body.seq),
      [0, 0],
    );
    await calls.close(2_000);
    assert.deepEqual(counts(), [1, 0]);
  });

  it('tries not again what is refused, and goes on with the next', async () => {
    const { calls, counts } = await opened(MINUTE);
    answer = () =>
      broker.asked.length > 1
        ? { status: 204, body: undefined }
        : { status: 400, body: { code: 'malformed' } };
    call(calls);
    now += MINUTE;
    call(calls);
    await calls.close(2_000);
    assert.deepEqual(told(), [
      [100, 1],
      [101, 1],
    ]);
    assert.deepEqual(counts(), [1, 1]);
  });

  it('keeps ten minutes for a broker that is away, and counts what is lost', async () => {
    const { calls, counts } = await opened(MINUTE);
    for (let i = 0; i < 14; i++, now += MINUTE) call(calls);
    // thirteen are over, ten of them wait
    assert.deepEqual(counts(), [0, 3]);
    await calls.close(2_000);
    // the last one needed room as well
    assert.deepEqual(counts(), [10, 4]);
    assert.deepEqual(told()[0], [104, 1]);
  });

  it('ends in time with a broker that is silent, and without an SVID', async () => {
    const silent = await opened(MINUTE);
    answer = () => 'silence';
    call(silent.calls);
    await silent.calls.close(50);
    assert.deepEqual(silent.counts(), [0, 1]);
    const nobody = await opened(MINUTE, createCredentials() as never);
    call(nobody.calls);
    await nobody.calls.close(2_000);
    assert.deepEqual(nobody.counts(), [0, 1]);
  });
});
