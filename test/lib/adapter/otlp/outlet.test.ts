import assert from 'node:assert/strict';
import { type Delivery, Outlet, type OutletDeps } from '../../../../lib/adapter/otlp/outlet.ts';
import { until } from '../../../sidecar/sockets.ts';

const TAKEN: Delivery = { status: 200, retryAfterMs: null, rejected: 0 };

/** An outlet whose collector answers as told, `TAKEN` from then on. */
function outlet(answers: Delivery[] = [], more: Partial<OutletDeps<number>> = {}) {
  const sends: number[][] = [];
  const lost: Record<string, number> = {};
  const counted = { sent: 0 };
  const it = new Outlet<number>({
    most: 10,
    batch: 4,
    send: async (items) => {
      sends.push([...items]);
      return answers.shift() ?? TAKEN;
    },
    sent: (items) => (counted.sent += items),
    lost: (items, why) => (lost[why] = (lost[why] ?? 0) + items),
    random: () => 0,
    ...more,
  });
  return { it, sends, lost, counted };
}

describe('telemetry: the outlet', () => {
  it('sends batches one after the other, and at once when one is full', async () => {
    const { it, sends, lost, counted } = outlet();
    for (let i = 0; i < 3; i++) it.add(i);
    assert.deepEqual(sends, []);
    it.add(3);
    it.add(4);
    await until(() => counted.sent === 5);
    assert.deepEqual([sends, lost], [[[0, 1, 2, 3], [4]], {}]);
  });

  it('holds no more than it may, and counts what it could not take', async () => {
    let go = (_: Delivery) => {};
    const { it, lost, counted } = outlet([], {
      send: () =>
        new Promise((resolve) => {
          go = resolve;
        }),
    });
    // the first four are on their way
    for (let i = 0; i < 20; i++) it.add(i);
    assert.deepEqual(lost, { queue_full: 6 });
    go(TAKEN);
    await until(() => counted.sent === 4);
    it.add(20);
    assert.deepEqual(lost, { queue_full: 6 });
  });

  it('tries again after as long as it is asked to wait, and as long as that may help', async () => {
    const again = { status: 429, retryAfterMs: 0, rejected: 0 };
    const { it, sends, lost, counted } = outlet([again, { ...again, status: 503 }, { ...again, status: 0 }]);
    for (let i = 0; i < 4; i++) it.add(i);
    await until(() => counted.sent === 4);
    assert.deepEqual([sends.length, lost], [4, {}]);
    const patient = outlet([{ ...again, retryAfterMs: 600 }]);
    const began = performance.now();
    for (let i = 0; i < 4; i++) patient.it.add(i);
    await until(() => patient.counted.sent === 4);
    assert.ok(performance.now() - began >= 590);
    const gone = outlet(new Array(9).fill(again));
    for (let i = 0; i < 4; i++) gone.it.add(i);
    await until(() => gone.lost['unreachable'] === 4);
    assert.equal(gone.sends.length, 5);
  });

  it('waits by itself where nobody says for how long', async () => {
    const { it, sends, counted } = outlet([{ status: 503, retryAfterMs: null, rejected: 0 }]);
    const began = performance.now();
    for (let i = 0; i < 4; i++) it.add(i);
    await until(() => counted.sent === 4);
    assert.ok(performance.now() - began >= 240);
    assert.equal(sends.length, 2);
  });

  it('lets go of what is refused, and of the part that is', async () => {
    const refused = outlet([{ status: 400, retryAfterMs: null, rejected: 0 }]);
    for (let i = 0; i < 4; i++) refused.it.add(i);
    await until(() => refused.lost['refused'] === 4);
    assert.deepEqual([refused.sends.length, refused.counted.sent], [1, 0]);
    const part = outlet([{ ...TAKEN, rejected: 3 }]);
    for (let i = 0; i < 4; i++) part.it.add(i);
    await until(() => part.lost['rejected'] === 3);
    assert.equal(part.counted.sent, 1);
  });

  it('at its end sends what waits, and cuts a wait short', async () => {
    const { it, sends, counted, lost } = outlet([{ status: 503, retryAfterMs: 60_000, rejected: 0 }]);
    for (let i = 0; i < 6; i++) it.add(i);
    await until(() => sends.length === 1);
    await it.close(AbortSignal.timeout(5_000));
    assert.deepEqual([counted.sent, lost], [6, {}]);
    it.add(6);
    assert.deepEqual(lost, { closing: 1 });
  });

  it('at its end waits no longer than it may', async () => {
    const { it, counted, lost } = outlet([], {
      send: (_, signal) =>
        new Promise((resolve) => signal.addEventListener('abort', () => resolve({ ...TAKEN, status: 0 }))),
    });
    for (let i = 0; i < 6; i++) it.add(i);
    await it.close(AbortSignal.timeout(50));
    assert.deepEqual([counted.sent, lost], [0, { closing: 6 }]);
  });
});
