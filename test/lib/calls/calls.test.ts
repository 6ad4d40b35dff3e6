import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createAttestors } from '../../../broker/attestors/index.ts';
import { createSchemas } from '../../../broker/schemas.ts';
import { createValidate } from '../../../broker/validation.ts';
import {
  type Call,
  type CallMinute,
  DURATION_COUNTS,
  MOST_ROWS,
  MOST_SAMPLES,
  serviceMap,
  Tally,
} from '../../../lib/calls/index.ts';

const WEB = 'spiffe://example.org/ns/shop/sa/web';
const ORDERS = 'spiffe://example.org/ns/shop/sa/orders';
const MINUTE = 60_000;
const CALL: Call = {
  ...{ caller: WEB, method: 'GET', path: '/orders/7', effect: 'allow', rule: 'web-may', dryRun: 0 },
  ...{ decision: 'd1', code: '', status: 200, received: 1, sent: 2, whole: true, ms: 3, at: 10 * MINUTE },
};
const DENIED: Partial<Call> = { effect: 'deny', rule: '', status: 403, code: 'no_rule' };

function counted(...calls: readonly Partial<Call>[]): CallMinute {
  const tally = new Tally();
  for (const call of calls) assert.equal(tally.add({ ...CALL, ...call }), null);
  const minute = tally.take();
  assert.ok(minute !== null);
  return minute;
}

const unused = undefined as never;
const attestors = createAttestors({ vault: unused, instances: unused, alarms: unused });
const validate = createValidate({ components: { schemas: createSchemas(attestors) } });
/** What a broker would say to it. @throws InputError */
const taken = (minute: CallMinute) =>
  validate('CallReport', { reporter: 'A'.repeat(22), seq: 0, ...JSON.parse(JSON.stringify(minute)) });

describe('a tally of calls', () => {
  const one: [what: string, calls: Partial<Call>[], row: Record<string, unknown>][] = [
    [
      'alike',
      [{}, { path: '/orders/8', decision: 'd2' }],
      { route: '/orders/{}', count: 2, received: 2, sent: 4 },
    ],
    ['denied', [DENIED], { effect: 'deny', rule: '', status: '4xx', errors: 0 }],
    ['failed', [{ status: 502 }], { status: '5xx', errors: 1 }],
    ['cut before an answer', [{ status: null, whole: false }], { status: 'none', errors: 1 }],
    ['broken off', [{ whole: false }], { status: '2xx', errors: 1 }],
    ['refused by us with 503', [{ effect: 'none', rule: '', status: 503 }], { effect: 'none', errors: 0 }],
    ['held by a dry-run rule', [{ dryRun: 2 }], { dry_run: 1, count: 1 }],
    ['of a strange method', [{ method: 'hvs.TOKEN' }], { method: '_OTHER' }],
    ['for no path', [{ path: '*' }], { route: '*' }],
    ['of an impossible status', [{ status: 999 }], { status: 'none' }],
  ];
  for (const [what, calls, row] of one)
    it(`counts what is ${what}`, () => {
      const { rows } = counted(...calls);
      assert.equal(rows.length, 1);
      assert.deepEqual({ ...rows[0], ...row }, rows[0]);
      taken(counted(...calls));
    });

  it('tells apart what differs in caller, method, route, effect, rule or status', () => {
    const differing: Partial<Call>[] = [
      ...[{ caller: ORDERS }, { method: 'PUT' }, { path: '/carts/7' }, { effect: 'deny' as const }],
      ...[{ rule: 'another' }, { status: 404 }],
    ];
    assert.equal(counted({}, ...differing).rows.length, 7);
  });

  it('gives a minute when one ends in a later one, or when it is over', () => {
    const tally = new Tally();
    assert.equal(tally.takeBefore(11 * MINUTE), null);
    assert.equal(tally.add(CALL), null);
    // it ended in the minute after it began
    const over = tally.add({ ...CALL, at: 11 * MINUTE - 1 });
    assert.deepEqual([over?.minute, over?.rows[0]?.count], [10, 1]);
    // told late
    assert.equal(tally.add({ ...CALL, at: 11 * MINUTE - 10, ms: 1 }), null);
    assert.equal(tally.takeBefore(11 * MINUTE + 59_999), null);
    const next = tally.takeBefore(12 * MINUTE);
    assert.deepEqual([next?.minute, next?.rows[0]?.count], [11, 2]);
    assert.equal(tally.takeBefore(13 * MINUTE), null);
    assert.equal(tally.take(), null);
  });

  it('goes on with a clock that was set back', () => {
    const tally = new Tally();
    tally.add({ ...CALL, at: 1_000 * MINUTE });
    assert.equal(tally.takeBefore(10 * MINUTE)?.minute, 1_000);
    tally.add(CALL);
    assert.equal(tally.takeBefore(11 * MINUTE)?.minute, 10);
  });

  it('is bounded, whatever one caller makes up, and leaves room for others', () => {
    const made = Array.from({ length: 1_000 }, (_, i) => ({ path: `/x${i}y` }));
    const { rows } = counted(...made, { caller: ORDERS });
    const ofWeb = rows.filter(({ caller }) => caller === WEB);
    assert.ok(ofWeb.length <= 64, `${ofWeb.length}`);
    assert.equal(
      ofWeb.reduce((sum, { count }) => sum + count, 0),
      1_000,
    );
    assert.ok(ofWeb.some(({ route, count }) => route === 'other' && count > 900));
    assert.deepEqual(
      rows.filter(({ caller }) => caller === ORDERS).map(({ route }) => route),
      ['/orders/{}'],
    );
  });

  it('has a few samples, denials first, without what is after the question mark', () => {
    const allowed = Array.from({ length: 20 }, (_, i) => ({ path: `/a${i}z`, decision: `a${i}` }));
    const denied = Array.from({ length: 3 }, (_, i) => ({ ...DENIED, path: `/d${i}z`, decision: `d${i}` }));
    const { samples } = counted(...allowed, ...denied);
    assert.equal(samples.length, MOST_SAMPLES);
    assert.equal(samples.filter(({ effect }) => effect === 'deny').length, 3);
    const alike = counted(...Array.from({ length: 20 }, () => ({})));
    assert.equal(alike.samples.length, 2);
  });

  it('counts everything once, within bounds, in a form that brokers take (fuzz)', () => {
    const call = fc.record({
      caller: fc.oneof(
        fc.constantFrom(WEB, ORDERS, 'anonymous'),
        fc.nat(400).map((n) => `spiffe://example.org/${'n'.repeat(1_900)}/sa/${n}`),
      ),
      method: fc.oneof(fc.constantFrom('GET', 'POST', 'DELETE'), fc.string()),
      path: fc.oneof(
        fc.webPath(),
        fc.string({ unit: 'binary' }),
        fc.nat().map((n) => `/p${n}q/${'"'.repeat(30)}`),
      ),
      effect: fc.constantFrom('allow' as const, 'deny' as const, 'none' as const),
      rule: fc.constantFrom('', 'web-may', 'r'.repeat(100)),
      dryRun: fc.nat(3),
      status: fc.oneof(fc.constant(null), fc.integer({ min: 0, max: 999 })),
      ms: fc.double({ min: 0, max: 50_000, noNaN: true }),
      whole: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 1_500, size: 'max' }), (calls) => {
        const tally = new Tally();
        const minutes = calls.map((each) => tally.add({ ...CALL, ...each, at: 10 * MINUTE }));
        const told = [...minutes, tally.take()].filter((minute) => minute !== null);
        let sum = 0;
        for (const minute of told) {
          taken(minute);
          assert.ok(minute.rows.length <= MOST_ROWS && minute.samples.length <= MOST_SAMPLES);
          assert.ok(JSON.stringify(minute).length < 1024 * 1024 - 100);
          for (const { count, durations } of minute.rows) {
            assert.equal(
              durations.reduce((a, b) => a + b, 0),
              count,
            );
            sum += count;
          }
        }
        assert.equal(sum, calls.length);
      }),
      { numRuns: 60 },
    );
  }).timeout(30_000);

  it('stays within a message with the longest of everything', () => {
    const calls = Array.from({ length: 400 }, (_, i) => ({
      caller: `spiffe://example.org/${'n'.repeat(2_020)}/${i}`,
      path: `/${Array.from({ length: 8 }, () => '"'.repeat(32)).join('/')}${i}`,
      rule: 'r'.repeat(100),
      received: 1e12,
    }));
    const minute = counted(...calls);
    taken(minute);
    assert.equal(minute.rows.length, MOST_ROWS - 18 + 1);
    assert.ok(JSON.stringify(minute).length < 1024 * 1024 - 100);
  });
});

describe('the map of services', () => {
  const told = (...calls: readonly Partial<Call>[]) =>
    serviceMap([{ service: ORDERS, ...counted(...calls) }]);

  it('adds up what several sidecars told in several minutes', () => {
    const minute = counted({}, DENIED, { effect: 'none', rule: '', status: 401 }, { status: 500, dryRun: 1 });
    const [edge, ...more] = serviceMap([
      { service: ORDERS, ...minute },
      { service: ORDERS, ...minute, minute: 11 },
    ]);
    assert.deepEqual(more, []);
    const { count, denied, refused, errors, error_share, dry_run, received, sent } = edge!;
    assert.deepEqual(
      { count, denied, refused, errors, error_share, dry_run, received, sent },
      { count: 8, denied: 2, refused: 2, errors: 2, error_share: 0.5, dry_run: 2, received: 8, sent: 16 },
    );
    assert.deepEqual([edge!.samples.length, edge!.samples[0]!.effect !== 'allow'], [5, true]);
    assert.equal(edge!.samples[0]!.minute, new Date(11 * MINUTE).toISOString());
  });

  const durations: [ms: number[], p50: number | null, p99: number | null][] = [
    [[0.4], 0.25, 0.495],
    [[1.5, 1.5, 1.5, 1.5], 1.75, 2.485],
    [[...Array<number>(99).fill(0.9), 60_000], 0.753, 1],
    [[60_000], 10_000, 10_000],
  ];
  for (const [ms, p50, p99] of durations)
    it(`says of ${ms.length} durations up to ${Math.max(...ms)} ms what half and 99 of 100 take`, () => {
      const [edge] = told(...ms.map((each) => ({ ms: each, at: 10 * MINUTE - each })));
      assert.deepEqual([edge!.p50_ms, edge!.p99_ms], [p50, p99]);
    });

  it('has no durations of what was not let through', () => {
    const [edge] = told(DENIED);
    assert.deepEqual([edge!.p50_ms, edge!.p99_ms, edge!.error_share], [null, null, 0]);
  });

  it('has the busiest edge first, of each the busiest routes, and says how many are beside', () => {
    const routes = Array.from({ length: 15 }, (_, i) => ({ path: `/r${i}x` }));
    const edges = told({ caller: ORDERS }, ...routes, { path: '/r3x' });
    assert.deepEqual(
      edges.map(({ caller, count }) => [caller, count]),
      [
        [WEB, 16],
        [ORDERS, 1],
      ],
    );
    assert.deepEqual(
      [edges[0]!.routes[0]!.route, edges[0]!.routes.length, edges[0]!.routes_more],
      ['/r3x', 10, 5],
    );
    assert.equal(DURATION_COUNTS, 15);
  });
});
