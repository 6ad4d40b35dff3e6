import assert from 'node:assert/strict';
import {
  Baseline,
  type Outcome,
  parseRiskRules,
  type Question,
  routeOf,
  scoreOf,
} from '../../../lib/risk/index.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.parse('2026-11-02T09:00:00Z');
const WEB = 'spiffe://example.org/ns/shop/sa/web';
const BATCH = 'spiffe://example.org/ns/shop/sa/batch';

const outcome = (at: number, more: Partial<Outcome> = {}): Outcome => ({
  ...{ caller: WEB, method: 'GET', path: '/orders/1', status: 200, received: 100, at },
  ...more,
});
const question = (at: number, more: Partial<Question> = {}): Question => ({
  ...{ caller: WEB, method: 'GET', path: '/orders/2', size: 100, source: '10.0.0.7', user: null, at },
  ...more,
});

const rulesOf = (inputs: object, more: object = {}) => parseRiskRules(JSON.stringify({ inputs, ...more }));

/** So many requests in each minute of `[from, to)`. */
function work(
  baseline: Baseline,
  from: number,
  to: number,
  perMinute: number,
  more: Partial<Outcome> = {},
): void {
  for (let at = from; at < to; at += MINUTE)
    for (let i = 0; i < perMinute; i++) baseline.observe(outcome(at + (i * MINUTE) / perMinute, more));
}

/** One that knows WEB for two hours, with 20 requests a minute. */
function learned(): Baseline {
  const baseline = new Baseline(60);
  work(baseline, START, START + 2 * HOUR, 20);
  return baseline;
}

const NOW = START + 2 * HOUR;

describe('routes', () => {
  for (const [path, route] of [
    ['/', '/'],
    ['/orders', '/orders'],
    ['/orders/42/items/7', '/orders/{}/items/{}'],
    ['/orders/6ba7b810-9dad-11d1-80b4-00c04fd430c8', '/orders/{}'],
    ['/blobs/deadbeef01', '/blobs/{}'],
    ['/deadbeef/facade', '/deadbeef/facade'],
    ['/v2/orders', '/v2/orders'],
    [`/t/${'x'.repeat(33)}`, '/t/{}'],
    ['/1/2/3/4/5/6/7/8/9/10', '/{}/{}/{}/{}/{}/{}/{}/{}/…'],
    ['', ''],
  ] as const)
    it(`${path.slice(0, 40)} is ${route}`, () => assert.equal(routeOf(path), route));
});

describe('the score of a request', () => {
  it('is 0 where everything is as usual, and before anything is', () => {
    const rules = rulesOf({
      rate: { weight: 50, above: 3, least: 30 },
      new_edge: { weight: 40 },
      size: { weight: 20, above: 4 },
      errors: { weight: 20, above: 0.5, least: 5 },
    });
    assert.deepEqual(scoreOf(rules, new Baseline(60), question(NOW)), { score: 0, reasons: [] });
    assert.deepEqual(scoreOf(rules, learned(), question(NOW)), { score: 0, reasons: [] });
  });

  it('counts a rate: half at so many times the usual, all at twice that, nothing below', () => {
    const rules = rulesOf({ rate: { weight: 50, above: 3, least: 30 } });
    const at = (perMinute: number) => {
      const baseline = learned();
      work(baseline, NOW, NOW + MINUTE, perMinute);
      return scoreOf(rules, baseline, question(NOW + MINUTE - 1));
    };
    assert.deepEqual(
      [50, 62, 90, 121, 500].map((each) => at(each).score),
      [0, 26, 38, 50, 50],
    );
    assert.deepEqual(at(500).reasons, [{ input: 'rate', points: 50, detail: '500 in a minute, usually 20' }]);
    // and lets go of it
    const baseline = learned();
    work(baseline, NOW, NOW + MINUTE, 500);
    assert.equal(scoreOf(rules, baseline, question(NOW + 3 * MINUTE)).score, 0);
  });

  it('counts no rate that is small, however unusual', () => {
    const rules = rulesOf({ rate: { weight: 50, above: 3, least: 30 } });
    const baseline = new Baseline(60);
    for (let i = 0; i < 12; i++) baseline.observe(outcome(START + i * 10 * MINUTE));
    work(baseline, NOW, NOW + MINUTE, 29);
    assert.equal(scoreOf(rules, baseline, question(NOW + MINUTE - 1)).score, 0);
    work(baseline, NOW, NOW + MINUTE, 2);
    assert.equal(scoreOf(rules, baseline, question(NOW + MINUTE - 1)).score, 50);
  });

  it('counts a body that is larger than usual', () => {
    const rules = rulesOf({ size: { weight: 20, above: 8 } });
    const score = (size: number | null) => scoreOf(rules, learned(), question(NOW, { size }));
    assert.deepEqual(
      [null, 0, 100, 700, 850, 5_000].map((each) => score(each).score),
      [0, 0, 0, 0, 11, 20],
    );
    assert.equal(score(5_000).reasons[0]?.detail, '5000 bytes, usually 100');
  });

  it('counts the share that fails, over the usual, on whatever routes', () => {
    const rules = rulesOf({ errors: { weight: 40, above: 0.5, least: 10 } });
    const baseline = learned();
    for (let i = 0; i < 20; i++) {
      const status = i % 4 === 0 ? null : i % 2 === 0 ? 200 : 404;
      baseline.observe(outcome(NOW + i, { path: `/probe/x${i}`, status }));
    }
    const { score, reasons } = scoreOf(rules, baseline, question(NOW + MINUTE - 1));
    assert.deepEqual([score, reasons[0]?.detail], [40, '75 % failed, usually 0 %']);
  });

  it('counts a route that is new to the caller, less as time goes by', () => {
    const rules = rulesOf({ new_edge: { weight: 40 } }, { half_life: '15m' });
    const baseline = learned();
    const score = (at: number) => scoreOf(rules, baseline, question(at, { path: '/refunds/7' }));
    assert.deepEqual(score(NOW).reasons, [
      { input: 'new_edge', points: 40, detail: 'never answered well before' },
    ]);
    assert.equal(baseline.observe(outcome(NOW, { path: '/refunds/1' })), true);
    assert.equal(baseline.observe(outcome(NOW, { path: '/refunds/2' })), false);
    assert.deepEqual(
      [0, 15, 30, 120].map((minutes) => score(NOW + minutes * MINUTE).score),
      [40, 20, 10, 0],
    );
    assert.equal(scoreOf(rules, baseline, question(NOW, { caller: BATCH })).score, 40);
  });

  it('does not get used to what is refused or fails', () => {
    const rules = rulesOf({ new_edge: { weight: 40 } });
    const baseline = learned();
    for (const status of [400, 401, 403, 404, 500, null])
      work(baseline, NOW, NOW + HOUR, 5, { path: '/refunds/1', status });
    assert.equal(scoreOf(rules, baseline, question(NOW + HOUR, { path: '/refunds/1' })).score, 40);
  });

  it('counts an hour of the day at which the caller is not active', () => {
    const rules = rulesOf({ hour: { weight: 20, below: 0.2, days: 7 } });
    const baseline = new Baseline(60);
    for (let day = 0; day < 10; day++) work(baseline, START + day * DAY, START + day * DAY + 8 * HOUR, 1);
    const score = (hour: number) => scoreOf(rules, baseline, question(START + 10 * DAY + hour * HOUR));
    assert.deepEqual(
      [0, 7, -8, 10].map((hour) => score(hour).score),
      [0, 0, 20, 20],
    );
    assert.equal(score(-8).reasons[0]?.detail, 'between 1 and 2 UTC on 0 % of days');
    const young = new Baseline(60);
    for (let day = 0; day < 6; day++) work(young, START + day * DAY, START + day * DAY + HOUR, 1);
    assert.equal(scoreOf(rules, young, question(START + 6 * DAY + 12 * HOUR)).score, 0);
  });

  it('counts what the user and the network show', () => {
    const rules = rulesOf({
      token_age: { weight: 10, above: '1h' },
      acr: { weight: 20, in: ['mfa'] },
      network: { weight: 40, in: ['10.0.0.0/8'] },
    });
    const seconds = NOW / 1_000;
    const score = (more: Partial<Question>) => scoreOf(rules, new Baseline(60), question(NOW, more)).score;
    const user = { acr: 'mfa', authTime: seconds - 60, issuedAt: null };
    assert.equal(score({ user: null }), 0);
    assert.equal(score({ user }), 0);
    assert.equal(score({ user: { ...user, authTime: null, issuedAt: seconds - 3_600 } }), 5);
    assert.equal(score({ user: { ...user, authTime: seconds - 9_000, issuedAt: seconds } }), 10);
    assert.equal(score({ user: { ...user, authTime: null } }), 10);
    assert.equal(score({ user: { ...user, acr: 'pwd' } }), 20);
    assert.equal(score({ user: { ...user, acr: null } }), 20);
    assert.equal(score({ source: '192.0.2.1' }), 40);
    assert.equal(score({ source: '2001:db8::1' }), 40);
    assert.equal(score({ source: null }), 40);
  });

  it('remembers how unusual a caller was, and forgets it', () => {
    const rules = rulesOf(
      { network: { weight: 80, in: ['10.0.0.0/8'] }, recent: { weight: 50 } },
      { half_life: '10m' },
    );
    const baseline = learned();
    assert.equal(scoreOf(rules, baseline, question(NOW, { source: '192.0.2.1' })).score, 80);
    const later = (minutes: number) => scoreOf(rules, baseline, question(NOW + minutes * MINUTE)).score;
    assert.deepEqual([0, 10, 20, 21, 22, 60].map(later), [40, 20, 10, 9, 9, 1]);
  });

  it('counts what others report, and no more than 100 in all', () => {
    const rules = rulesOf({ reported: { weight: 90 }, network: { weight: 40, in: ['10.0.0.0/8'] } });
    const baseline = new Baseline(60);
    baseline.report(WEB, { score: 50, reason: 'seen in two places', at: NOW });
    assert.deepEqual(scoreOf(rules, baseline, question(NOW)).reasons, [
      { input: 'reported', points: 45, detail: 'seen in two places' },
    ]);
    baseline.report(WEB, { score: 100, reason: 'stolen', at: NOW });
    assert.equal(scoreOf(rules, baseline, question(NOW, { source: '192.0.2.1' })).score, 100);
    assert.equal(scoreOf(rules, baseline, question(NOW, { caller: BATCH })).score, 0);
  });
});

describe('what is usual', () => {
  const rules = rulesOf({ rate: { weight: 100, above: 3, least: 30 } });

  it('cannot be moved in an hour by whoever wants more to be usual', () => {
    const baseline = new Baseline(60);
    for (let day = 0; day < 3; day++) work(baseline, START + day * DAY, START + (day + 1) * DAY, 20);
    const now = START + 3 * DAY;
    work(baseline, now, now + HOUR, 400);
    const [reason] = scoreOf(rules, baseline, question(now + HOUR - 1)).reasons;
    assert.match(reason!.detail, /usually 21$/);
    assert.equal(reason!.points, 100);
  });

  it('does not double faster than in the time it took to learn', () => {
    const baseline = learned();
    work(baseline, NOW, NOW + 2 * HOUR, 400);
    const [reason] = scoreOf(rules, baseline, question(NOW + 2 * HOUR - 1)).reasons;
    const usual = Number(/usually (\d+)$/.exec(reason!.detail)?.[1]);
    assert.ok(usual > 30 && usual <= 40, String(usual));
  });

  it('is followed when it really changes', () => {
    const baseline = learned();
    work(baseline, NOW, NOW + 5 * DAY, 200);
    assert.equal(scoreOf(rules, baseline, question(NOW + 5 * DAY - 1)).score, 0);
  });

  it('is kept of a bounded number of callers and routes', () => {
    const baseline = new Baseline(60);
    for (let i = 0; i < 1_000; i++) baseline.observe(outcome(START + i * MINUTE, { caller: `${WEB}-${i}` }));
    for (let i = 0; i < 1_000; i++) baseline.observe(outcome(START + DAY, { path: `/route-${i}` }));
    assert.deepEqual(baseline.size, { callers: 256, edges: 255 + 65 });
  });

  it('stands when the clock is set back', () => {
    const baseline = learned();
    work(baseline, NOW - 10 * DAY, NOW - 10 * DAY + 5 * MINUTE, 1);
    assert.equal(scoreOf(rules, baseline, question(NOW)).score, 0);
  });
});
