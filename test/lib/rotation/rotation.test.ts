import assert from 'node:assert/strict';
import { identityState, nextAttempt, renewAt, retryDelay } from '../../../lib/rotation/index.ts';
import { seededRandom } from '../../support/der.ts';

const NOON = new Date('2026-06-01T12:00:00Z');
const at = (seconds: number) => new Date(NOON.getTime() + seconds * 1000);
const seconds = (date: Date) => (date.getTime() - NOON.getTime()) / 1000;

describe('renewAt', () => {
  for (const [life, spread, want] of [
    [3600, 0, 1800],
    [3600, -1, 1620],
    [3600, 1, 1980],
    [3600, 0.5, 1890],
    [20, 0, 10],
    [20, 1, 11],
    [3600, 7, 1980],
    [3600, -7, 1620],
    [0, 1, 0],
    [-60, 1, 0],
  ] as const) {
    it(`a life of ${life} s with spread ${spread} is renewed after ${want} s`, () => {
      assert.equal(seconds(renewAt({ issuedAt: NOON, notAfter: at(life) }, spread)), want);
    });
  }
});

describe('retryDelay', () => {
  for (const [attempt, random, want] of [
    [1, 0, 250],
    [1, 0.5, 375],
    [2, 0, 250],
    [2, 0.999999, 999],
    [6, 0.5, 8125],
    [7, 0.5, 15125],
    [8, 0.5, 15125],
    [1e9, 0.999999, 29999],
    [0, 0.5, 375],
  ] as const) {
    it(`attempt ${attempt} with ${random} waits ${want} ms`, () => {
      assert.equal(retryDelay(attempt, random), want);
    });
  }
});

describe('nextAttempt', () => {
  for (const [what, left, attempt, random, want] of [
    ['far from expiry: the plain delay', 3600, 1, 0.5, 0.375],
    ['near expiry: halfway to it', 4, 8, 0.9, 2],
    ['nearer: still halfway', 1, 8, 0.9, 0.5],
    ['at the last moment: the least delay', 0.1, 8, 0.9, 0.1],
    ['at expiry: the plain delay', 0, 2, 0.5, 0.625],
    ['after expiry: the plain delay', -60, 8, 0.5, 15.125],
  ] as const) {
    it(what, () => {
      assert.equal(seconds(nextAttempt({ now: NOON, notAfter: at(left), attempt, random })), want);
    });
  }

  it('with no SVID yet: the plain delay', () => {
    assert.equal(seconds(nextAttempt({ now: NOON, notAfter: null, attempt: 1, random: 0.5 })), 0.375);
  });

  it('never leaps past expiry, and is always later than now', () => {
    const random = seededRandom(3);
    for (let i = 0; i < 10_000; i++) {
      const notAfter = at(random() * 120);
      const next = nextAttempt({
        now: NOON,
        notAfter,
        attempt: 1 + Math.floor(random() * 20),
        random: random(),
      });
      assert.ok(next > NOON && next <= notAfter, `${seconds(next)} of ${seconds(notAfter)}`);
    }
  });
});

describe('identityState', () => {
  for (const [notAfter, failedAttempts, want] of [
    [at(1), 0, 'serving'],
    [at(1), 1, 'degraded'],
    [at(0), 0, 'expired'],
    [at(-1), 3, 'expired'],
    [null, 0, 'expired'],
  ] as const) {
    it(`${notAfter === null ? 'no SVID' : `${seconds(notAfter)} s left`}, ${failedAttempts} failed: ${want}`, () => {
      assert.equal(identityState({ now: NOON, notAfter, failedAttempts }), want);
    });
  }
});
