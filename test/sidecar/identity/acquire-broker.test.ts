import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { AcquireErrorCode } from '../../../sidecar/identity/acquire-error.ts';
import { createCa } from '../../support/ca.ts';
import { type Attempts, createAttempts, failure, ID, never } from './attempts.ts';

describe('a sidecar, of brokers,', () => {
  let at: Attempts;
  beforeEach(async () => {
    at = await createAttempts();
  });
  afterEach(() => at[Symbol.asyncDispose]());

  describe('asks nobody but the trust domain’s broker:', () => {
    it('another ID', async () => {
      await at.restartBroker({ id: 'spiffe://example.org/ns/shop/sa/orders' });
      assert.equal((await failure(at.acquirer())).code, 'BROKER_UNTRUSTED');
      assert.deepEqual(at.broker.asked, []);
    });
    it('two IDs', async () => {
      const sans = ['broker', 'other'].map((name) => ({
        type: 'url' as const,
        value: `spiffe://example.org/signet/${name}`,
      }));
      await at.restartBroker({ certificate: { sans } });
      assert.equal((await failure(at.acquirer())).code, 'BROKER_UNTRUSTED');
    });
    it('another authority', async () => {
      await at.restartBroker({ issuer: await createCa('example.org') });
      const error = await failure(at.acquirer());
      assert.equal(error.code, 'BROKER_UNTRUSTED');
      assert.ok(error.refused);
    });
    it('an expired certificate', async () => {
      const certificate = {
        notBefore: new Date(Date.now() - 7_200_000),
        notAfter: new Date(Date.now() - 3_600_000),
      };
      await at.restartBroker({ certificate });
      const error = await failure(at.acquirer());
      assert.equal(error.code, 'BROKER_UNTRUSTED');
      assert.match(error.message, /clock/);
    });
    it('one that is not valid yet blames the clock', async () => {
      await at.restartBroker({ certificate: { notBefore: new Date(Date.now() + 60_000) } });
      const error = await failure(at.acquirer());
      assert.equal(error.code, 'CLOCK_BEHIND');
      assert.match(error.message, /clock/);
    });
    it('but does mind no host name', async () => {
      await at.restartBroker({
        certificate: { sans: [{ type: 'url', value: 'spiffe://example.org/signet/broker' }] },
      });
      assert.equal((await at.acquirer()(null, never)).id.toString(), ID);
    });
  });

  describe('takes the broker’s no with its code:', () => {
    const cases: readonly [number, string, AcquireErrorCode, boolean][] = [
      [403, 'entry_disabled', 'BROKER_REFUSED', true],
      [403, 'identity_denied', 'BROKER_REFUSED', true],
      [401, 'challenge_invalid', 'BROKER_REFUSED', true],
      [429, 'rate_limited', 'BROKER_UNAVAILABLE', false],
      [503, 'vault_unavailable', 'BROKER_UNAVAILABLE', false],
    ];
    for (const [status, code, wanted, refused] of cases) {
      it(`${status} ${code}`, async () => {
        const body = { status, code, correlation_id: 'c-9', detail: 'hvs.secret' };
        at.broker.answers = { '/v1/attest': () => ({ status, body, headers: { 'Retry-After': '7' } }) };
        const error = await failure(at.acquirer());
        assert.equal(error.code, wanted);
        assert.deepEqual(error.detail, { reason: code, correlationId: 'c-9', retryAfterMs: 7_000 });
        assert.equal(error.refused, refused);
        assert.doesNotMatch(error.message, /hvs\./);
      });
    }
  });

  describe('does not act on a broker’s answer with a bad', () => {
    // biome-ignore lint/suspicious/noExplicitAny: each case breaks the answer in a way its type would not allow
    const cases: Readonly<Record<string, (answer: any) => void>> = {
      spiffe_id: (answer) => (answer.spiffe_id = 'spiffe://other.org/ns/shop/sa/orders'),
      'path of the vault role': (answer) => (answer.vault.role = '../../sys/seal'),
      'path of the vault mount': (answer) => (answer.vault.mount = 'pki?x'),
      'vault address': (answer) => (answer.vault.address = 'http://vault.example.org:8200'),
      ttl: (answer) => (answer.ttl = '15m,1h'),
      ttl_seconds: (answer) => (answer.ttl_seconds = -1),
      bundle: (answer) => (answer.bundles = { 'other.org': {} }),
      generation: (answer) => (answer.instance.generation = '1'),
      correlation_id: (answer) => (answer.correlation_id = 'a\nb'),
    };
    for (const [name, distort] of Object.entries(cases)) {
      it(name, async () => {
        at.broker.distort = distort;
        assert.equal((await failure(at.acquirer())).code, 'BROKER_ANSWER');
        assert.deepEqual(at.vault.calls, []);
      });
    }
    it('size', async () => {
      at.broker.distort = (answer) => (answer.padding = 'x'.repeat(300_000));
      assert.equal((await failure(at.acquirer())).code, 'BROKER_UNREACHABLE');
    });
    it('trust domain in its challenge', async () => {
      const body = { challenge: 'x', trust_domain: 'other.org', server_time: new Date() };
      at.broker.answers = { '/v1/challenge': () => ({ status: 201, body }) };
      assert.equal((await failure(at.acquirer())).code, 'BROKER_ANSWER');
      assert.equal(at.broker.asked.length, 1, 'no evidence was sent');
    });
  });
});
