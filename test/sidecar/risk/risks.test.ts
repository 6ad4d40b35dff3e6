import assert from 'node:assert/strict';
import { createLog } from '../../../lib/adapter/log.ts';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { createChain, readRecord } from '../../../lib/audit/index.ts';
import type { Facts, Risk } from '../../../lib/policy/index.ts';
import { parseRiskRules } from '../../../lib/risk/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import type { Caller, Decider } from '../../../sidecar/decide.ts';
import { RequestHead } from '../../../sidecar/http1/index.ts';
import { NO_SCREENS } from '../../../sidecar/inbound/screens.ts';
import { LocalRisks, type Observed } from '../../../sidecar/risk/index.ts';
import { world } from '../inbound/world.ts';
import { FakeAudit, ORDERS, WEB } from '../support.ts';

const MINUTE = 60_000;
const START = Date.parse('2026-11-02T09:00:00Z');
const NOW = START + 120 * MINUTE;

function risksOf(inputs: object, anomaly: object | null = { from: 40 }) {
  const audit = new FakeAudit();
  const lines: string[] = [];
  const metrics = createMetrics();
  const log = createLog({ level: 'info', write: (line) => void lines.push(line) });
  const rules = parseRiskRules(JSON.stringify({ inputs, ...(anomaly === null ? {} : { anomaly }) }));
  return { risks: new LocalRisks({ rules, audit, log, metrics }), audit, lines, metrics };
}

const observed = (at: number, more: Partial<Observed> = {}): Observed => ({
  ...{ side: 'inbound', caller: WEB, method: 'GET', path: '/orders/1', status: 200, received: 0, at },
  ...more,
});

/** Two hours of 20 requests a minute. */
function teach(risks: LocalRisks): void {
  for (let i = 0; i < 120 * 20; i++) risks.observed(observed(START + (i * MINUTE) / 20));
}

const RATE = { rate: { weight: 60, above: 3, least: 30 } };
const EDGE = { new_edge: { weight: 50 } };

describe('risks of requests', () => {
  it('are what policy gets when it asks, and nothing is assessed when it does not', async () => {
    const { risks } = risksOf({ network: { weight: 30, in: ['192.0.2.0/24'] } });
    let assessed = 0;
    const counting = {
      assess(...asked: Parameters<LocalRisks['assess']>) {
        assessed++;
        return risks.assess(...asked);
      },
    };
    const seen: Risk[] = [];
    const decider: Decider = {
      policy: null,
      decide(_caller: Caller, _method: string, path: string, _now: Date, facts?: Facts) {
        if (path === '/asked') seen.push(facts!.risk, facts!.risk);
        const decision = { effect: 'allow', rule: 'all', level: 'application', dryRun: [], wouldBe: 'allow' };
        return { id: 'd', decision: decision as never };
      },
      refused: () => {},
      ended: () => {},
    };
    await using w = await world({ decider, screens: { ...NO_SCREENS, risks: counting } });
    using client = await w.dial();
    client.send(`GET /a HTTP/1.1\r\nHost: orders\r\n\r\nGET /asked HTTP/1.1\r\nHost: orders\r\n\r\n`);
    await client.hears(/ok.*ok/s);
    assert.equal(assessed, 1);
    const reason = { input: 'network', points: 30, detail: '127.0.0.1' };
    assert.deepEqual(seen, Array(2).fill({ score: 30, reasons: [reason] }));
  });

  it('write a new edge down at once, in audit and log, with its reasons', () => {
    const { risks, audit, lines, metrics } = risksOf(EDGE);
    teach(risks);
    assert.deepEqual(audit.events, []);
    risks.observed(observed(NOW, { path: '/refunds/17', method: 'POST' }));
    const reasons = [{ input: 'new_edge', points: 50, detail: `since ${new Date(NOW).toISOString()}` }];
    const event = { caller: WEB, method: 'POST', route: '/refunds/{}', score: 50, reasons, held: 0 };
    assert.deepEqual(audit.events, [{ type: 'anomaly', ...event }]);
    assert.match(lines[0]!, /"event":"anomaly"/);
    assert.match(metrics.render(), /^signet_anomalies_total\{written="yes"\} 1$/m);
    assert.match(metrics.render(), /^signet_risk_observations_total 2401$/m);
  });

  it('write a rate down that no rule asks about', () => {
    const { risks, audit } = risksOf(RATE);
    teach(risks);
    for (let i = 0; i < 500; i++) risks.observed(observed(NOW + i));
    assert.equal(audit.events.length, 1);
    const reasons = audit.events[0]?.['reasons'] as readonly { readonly input: string }[];
    assert.deepEqual(
      reasons.map(({ input }) => input),
      ['rate'],
    );
  });

  it('are written down no more than so often, and what was not is counted', () => {
    const { risks, audit, metrics } = risksOf(RATE, { from: 40, every: '5m' });
    teach(risks);
    for (let minute = 0; minute < 10; minute++)
      for (let i = 0; i < 480; i++) risks.observed(observed(NOW + minute * MINUTE + i));
    const held = audit.events.map((event) => event['held']);
    assert.equal(held.length, 2);
    assert.deepEqual(held[0], 0);
    assert.ok((held[1] as number) > 50);
    assert.match(metrics.render(), /^signet_anomalies_total\{written="no"\} [1-9]\d*$/m);
  });

  it('are written down no more than 60 times a minute, of however many callers', () => {
    const { risks, audit } = risksOf(EDGE);
    teach(risks);
    for (let i = 0; i < 200; i++) risks.observed(observed(NOW, { caller: `${WEB}-${i}` }));
    assert.equal(audit.events.length, 60);
  });

  it('are not written down while the audit takes nothing, or where that is not asked for', () => {
    const full = risksOf(EDGE);
    teach(full.risks);
    full.audit.accepting = false;
    full.risks.observed(observed(NOW, { path: '/refunds' }));
    const none = risksOf(EDGE, null);
    teach(none.risks);
    none.risks.observed(observed(NOW, { path: '/refunds' }));
    assert.deepEqual([full.audit.events, none.audit.events], [[], []]);
  });

  it('are written down as the audit has records', () => {
    const { risks, audit } = risksOf(EDGE);
    teach(risks);
    risks.observed(observed(NOW, { path: '/refunds' }));
    const { line } = createChain().append(audit.events[0]!, new Date(NOW));
    const record = readRecord(line.trimEnd());
    assert.deepEqual([record?.type, record?.['route'], record?.['score']], ['anomaly', '/refunds', 50]);
  });

  it('take what others report, within bounds', () => {
    const { risks } = risksOf({ reported: { weight: 100 } });
    const facts = { now: new Date(NOW), size: null, source: null, user: null } as unknown as Facts;
    const head = Object.assign(new RequestHead(), { method: 'GET' });
    risks.report(WEB, { score: 1_000, reason: 'x'.repeat(500), at: NOW });
    const web: Caller = { id: parseSpiffeId(WEB), serial: '01' };
    const [reason] = risks.assess(web, facts, head).reasons;
    assert.deepEqual(reason, { input: 'reported', points: 100, detail: 'x'.repeat(200) });
    assert.equal(risks.assess({ id: 'anonymous', serial: null }, facts, head).score, 0);
  });

  it('learn nothing from what our own app calls', () => {
    const { risks, audit, metrics } = risksOf(EDGE);
    teach(risks);
    risks.observed(observed(NOW, { side: 'outbound', caller: '', path: '/refunds' }));
    risks.observed(observed(NOW, { side: 'outbound', caller: ORDERS, path: '/refunds' }));
    assert.deepEqual(audit.events, []);
    assert.match(metrics.render(), /^signet_risk_observations_total 2400$/m);
  });
});
