import assert from 'node:assert/strict';
import { createMetrics } from '../../lib/adapter/metrics.ts';
import { compilePolicies, type Facts, parsePolicies } from '../../lib/policy/index.ts';
import { parseSpiffeId } from '../../lib/spiffe/index.ts';
import { createDecider } from '../../sidecar/decide.ts';
import { clock, FakeAudit, ORDERS, WEB } from './support.ts';

const NOW = new Date();
const CALLER = { id: parseSpiffeId(WEB), serial: '0a:0b' };

function decided(documents: readonly object[]) {
  const full = documents.map((d) => ({
    level: 'application',
    mode: 'enforce',
    effect: 'allow',
    target: ORDERS,
    ...d,
  }));
  const audit = new FakeAudit();
  const metrics = createMetrics();
  const current = compilePolicies(
    parsePolicies([{ file: 'test', text: JSON.stringify(full) }]),
    parseSpiffeId(ORDERS),
  );
  return { audit, metrics, current, decider: createDecider({ policy: { current }, audit, clock, metrics }) };
}

describe('the decision point', () => {
  it('records what was judged, by which rule of which policy, under the id it gives', () => {
    const { decider, audit, current } = decided([{ name: 'read', when: { method: { in: ['GET'] } } }]);
    const verdicts = ['GET', 'POST'].map((method) => decider.decide(CALLER, method, '/a', NOW)!);
    const shared = { type: 'decision', caller: WEB, serial: '0a:0b', path: '/a', policy: current.digest };
    assert.deepEqual(audit.events, [
      { ...shared, id: verdicts[0]!.id, effect: 'allow', rule: 'read', level: 'application', method: 'GET' },
      { ...shared, id: verdicts[1]!.id, effect: 'deny', rule: null, level: null, method: 'POST' },
    ]);
    assert.notEqual(verdicts[0]!.id, verdicts[1]!.id);
    decider[Symbol.dispose]();
  });

  it('records what a dry-run rule would have changed, and counts it', () => {
    const { decider, audit, metrics } = decided([
      { name: 'all', when: { path: { starts: '/' } } },
      { name: 'soon', effect: 'deny', mode: 'dry-run', when: { path: { starts: '/old/' } } },
    ]);
    assert.equal(decider.decide(CALLER, 'GET', '/old/a', NOW)!.decision.effect, 'allow');
    const { effect, would_be, dry_run } = audit.events[0]!;
    assert.deepEqual(
      { effect, would_be, dry_run },
      {
        effect: 'allow',
        would_be: 'deny',
        dry_run: [{ rule: 'soon', level: 'application', effect: 'deny' }],
      },
    );
    decider[Symbol.dispose]();
    const text = metrics.render();
    assert.match(text, /^signet_decisions_total\{effect="allow"\} 1$/m);
    assert.match(text, /^signet_decisions_total\{effect="would_deny"\} 1$/m);
  });

  it('records a challenge, the user, a risk that was asked for, and what rules ask about', () => {
    const { decider, audit, current } = decided([
      { name: 'all', when: { path: { starts: '/' } } },
      {
        name: 'step-up',
        effect: 'deny',
        challenge: { acr_values: ['mfa'] },
        when: {
          any: [{ risk: { above: 40 } }, { 'user.acr': { is: 'none' } }, { 'header.cookie': { is: 'x' } }],
        },
      },
    ]);
    const risk = { score: 60, reasons: [{ input: 'rate', points: 60, detail: 'nine times the usual' }] };
    const facts: Facts = {
      ...{
        now: NOW,
        host: 'orders',
        query: 'token=secret',
        protocol: 'h2',
        size: 0,
        source: null,
        edge: false,
      },
      ...{ chain: [], risk, assessed: risk, header: () => 'session=secret' },
      user: {
        ...{
          issuer: 'https://login.example.org',
          subject: 'alice',
          acr: 'pwd',
          authTime: null,
          issuedAt: null,
        },
        ...{ scopes: new Set(), roles: new Set(), consents: new Set(), claims: { email: 'secret' } },
      },
    };
    const { id, decision } = decider.decide(CALLER, 'GET', '/a', NOW, facts)!;
    assert.equal(decision.effect, 'deny');
    assert.deepEqual(audit.events, [
      {
        ...{ type: 'decision', id, effect: 'deny', rule: 'step-up', level: 'application' },
        ...{ challenge: { acr_values: ['mfa'] }, caller: WEB, serial: '0a:0b', method: 'GET', path: '/a' },
        ...{ policy: current.digest, user: { issuer: 'https://login.example.org', subject: 'alice' } },
        ...{ risk, facts: { 'user.acr': 'pwd' } },
      },
    ]);
    assert.doesNotMatch(JSON.stringify(audit.events), /secret/);
    decider[Symbol.dispose]();
  });

  it('judges nothing without a policy or an audit that takes a record', () => {
    const { decider, audit } = decided([{ name: 'all', when: { path: { starts: '/' } } }]);
    audit.accepting = false;
    assert.equal(decider.decide(CALLER, 'GET', '/a', NOW), null);
    decider[Symbol.dispose]();
    const none = createDecider({
      policy: { current: null },
      audit: new FakeAudit(),
      clock,
      metrics: createMetrics(),
    });
    assert.equal(none.decide(CALLER, 'GET', '/a', NOW), null);
    none[Symbol.dispose]();
  });

  it('records refusals for form, of known callers and of strangers', () => {
    const { decider, audit, metrics } = decided([]);
    decider.refused(CALLER, 'host');
    decider.refused(null, 'SVID_MANY_URI_SANS');
    assert.deepEqual(
      audit.events.map(({ type, code, caller }) => [type, code, caller === null ? null : String(caller)]),
      [
        ['refused', 'host', WEB],
        ['refused', 'SVID_MANY_URI_SANS', null],
      ],
    );
    assert.match(metrics.render(), /signet_requests_refused_total\{code="host"\} 1/);
    decider[Symbol.dispose]();
  });
});
