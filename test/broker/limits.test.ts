import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { createGate, createRateLimit, sourceOf } from '../../broker/limits.ts';
import { Problem } from '../../broker/problem.ts';
import { changedSince } from '../../lib/adapter/revision.ts';

describe('sourceOf', () => {
  const cases: [address: string | undefined, source: string][] = [
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    [undefined, ''],
  ];
  for (const [address, source] of cases) {
    it(`${address} counts as ${source || 'nobody'}`, () => assert.equal(sourceOf(address), source));
  }
});

describe('a rate limit', () => {
  let at = 0;
  const taken = (limit: { take(key: string): void }, key: string) => {
    try {
      limit.take(key);
      return 0;
    } catch (error) {
      assert.ok(error instanceof Problem && error.code === 'rate_limited');
      return error.details.retryAfterSeconds;
    }
  };

  it('lets five seconds of its rate through at once, then its rate', () => {
    const limit = createRateLimit(2, () => at);
    for (let i = 0; i < 10; i++) assert.equal(taken(limit, 'a'), 0, `${i}`);
    assert.equal(taken(limit, 'a'), 1);
    at += 500;
    assert.equal(taken(limit, 'a'), 0);
    assert.equal(taken(limit, 'a'), 1);
    at += 60_000;
    for (let i = 0; i < 10; i++) assert.equal(taken(limit, 'a'), 0);
    assert.equal(taken(limit, 'a'), 1);
  });
  it('keeps one from using up what is left to another', () => {
    const limit = createRateLimit(1, () => at);
    for (let i = 0; i < 5; i++) taken(limit, 'a');
    assert.equal(taken(limit, 'a'), 1);
    assert.equal(taken(limit, 'b'), 0);
  });
  it('is not lengthened by those it refuses', () => {
    const limit = createRateLimit(1, () => at);
    for (let i = 0; i < 100; i++) taken(limit, 'a');
    at += 1_000;
    assert.equal(taken(limit, 'a'), 0);
  });
  it('forgets who was quiet longest, and never the one who asks most', () => {
    const limit = createRateLimit(1, () => at);
    for (let i = 0; i < 5; i++) taken(limit, 'busy');
    for (let i = 0; i < 25_000; i++) {
      taken(limit, `one-${i}`);
      if (i % 100 === 0) assert.equal(taken(limit, 'busy'), 1);
    }
  });
});

describe('a gate', () => {
  it('refuses beyond its number and opens again when one is through, however it ended', async () => {
    const gate = createGate(1);
    const first = Promise.withResolvers<void>();
    const under = gate(() => first.promise);
    await assert.rejects(
      gate(async () => {}),
      (error) => error instanceof Problem && error.code === 'overloaded',
    );
    first.reject(new Error('failed'));
    await assert.rejects(under, /failed/);
    assert.equal(await gate(async () => 7), 7);
  });
});

describe('changedSince', () => {
  const revision = {
    revision: 5,
    version: 9,
    changed: new Map([
      [4, 'entries/a/x'],
      [5, 'denylist'],
    ]),
  };
  const cases: [since: number, changed: string[] | undefined, version?: number][] = [
    [5, []],
    [4, ['denylist']],
    [3, ['entries/a/x', 'denylist']],
    // Number 3 is not told of: it may have been anything.
    [2, undefined],
    // The counter went back: another Vault, or an old copy of it.
    [6, undefined],
    // Vault counts another number of writes: somebody wrote what he liked.
    [5, undefined, 7],
    [4, undefined, 7],
    [5, undefined, 10],
    [4, undefined, 9],
    [Number.NEGATIVE_INFINITY, undefined, 8],
  ];
  for (const [since, changed, version = since + 4] of cases) {
    it(`since ${since} at version ${version}: ${changed?.join(', ') || (changed ? 'nothing' : 'unknown, read all')}`, () => {
      const found = changedSince(revision, { revision: since, version });
      assert.deepEqual(found === undefined ? undefined : [...found], changed);
    });
  }
});
