import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { deadlineAt, remaining, sleepUntil } from '../../../sidecar/identity/deadline.ts';
import { createServerClock } from '../../../sidecar/identity/server-clock.ts';

const NOON = Date.parse('2026-01-01T12:00:00Z');

/** Both clocks of a machine, set by hand. */
function handSet() {
  const at = { wall: NOON, monotonic: 1_000 };
  return {
    at,
    pass: (ms: number) => {
      at.wall += ms;
      at.monotonic += ms;
    },
    now: () => new Date(at.wall),
    monotonic: () => at.monotonic,
  };
}

describe('a deadline', () => {
  const cases: readonly [string, (clock: ReturnType<typeof handSet>) => void, number][] = [
    ['comes when the time has passed', (clock) => clock.pass(60_000), 0],
    ['does not come before', (clock) => clock.pass(59_999), 1],
    ['comes when the wall clock is set ahead', (clock) => (clock.at.wall += 60_000), 0],
    [
      'comes though the wall clock was set back',
      (clock) => {
        clock.at.wall -= 3_600_000;
        clock.pass(60_000);
      },
      0,
    ],
    ['comes though the machine slept', (clock) => (clock.at.wall += 61_000), 0],
  ];
  for (const [name, happen, left] of cases) {
    it(name, () => {
      const clock = handSet();
      const deadline = deadlineAt(new Date(NOON + 60_000), clock);
      happen(clock);
      assert.equal(remaining(deadline, clock), left);
    });
  }

  it('is slept for, less when told to wake', async () => {
    const clock = { now: () => new Date(), monotonic: () => performance.now() };
    const started = performance.now();
    await sleepUntil(deadlineAt(new Date(Date.now() + 60), clock), clock, new AbortController().signal);
    assert.ok(performance.now() - started >= 59);
    await sleepUntil(deadlineAt(new Date(Date.now() + 60_000), clock), clock, AbortSignal.timeout(20));
    assert.ok(performance.now() - started < 5_000);
  });
});

describe("the broker's clock", () => {
  for (const [name, aheadMs] of [
    ['ahead', 90_000],
    ['behind', -90_000],
    ['right', 0],
  ] as const) {
    it(`is known though ours is ${name}`, () => {
      const clock = handSet();
      const server = createServerClock(clock);
      assert.equal(server.skewMs, null);
      const sentAt = clock.monotonic();
      clock.pass(20);
      const brokerSaid = new Date(clock.at.wall - aheadMs - 10);
      server.observe(brokerSaid, sentAt);
      assert.equal(server.skewMs, aheadMs);
      clock.pass(5_000);
      clock.at.wall += 3_600_000;
      assert.equal(
        server.now().getTime(),
        NOON + 5_020 - aheadMs,
        'a jump of our wall clock changes nothing',
      );
    });
  }
});
