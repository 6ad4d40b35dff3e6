import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { type Attempts, createAttempts, failure, ID, never } from './attempts.ts';

describe('a grant', () => {
  let at: Attempts;
  beforeEach(async () => {
    at = await createAttempts();
  });
  afterEach(() => at[Symbol.asyncDispose]());

  it('that was used by someone else raises the alarm, at the broker too', async () => {
    at.broker.distort = ({ grant }) => at.vault.steal(grant.wrapping_token);
    const error = await failure(at.acquirer());
    assert.equal(error.code, 'GRANT_STOLEN');
    assert.deepEqual(at.thefts, [{ code: 'GRANT_STOLEN', spiffeId: ID, correlationId: 'correlation-1' }]);
    const alarm = at.broker.asked.at(-1);
    assert.equal(alarm?.path, '/v1/alarms');
    assert.equal(alarm?.body.correlation_id, 'correlation-1');
    assert.match(alarm?.body.wrapping_token, /^hvs\.wrapping-/);
  });

  it('that is used between look-up and unwrapping raises it too', async () => {
    let token = '';
    at.broker.distort = ({ grant }) => (token = grant.wrapping_token);
    at.vault.onCall = (path) => {
      if (path === 'sys/wrapping/unwrap') at.vault.steal(token);
    };
    assert.equal((await failure(at.acquirer())).code, 'GRANT_STOLEN');
    assert.equal(at.thefts.length, 1);
  });

  it('raises the alarm here even when the broker cannot be told', async () => {
    at.broker.distort = ({ grant }) => at.vault.steal(grant.wrapping_token);
    at.broker.answers = { '/v1/alarms': () => 'drop' };
    assert.equal((await failure(at.acquirer())).code, 'GRANT_STOLEN');
    assert.equal(at.thefts.length, 1);
  });

  it('that ran out by the broker’s clock is no theft', async () => {
    at.broker.distort = ({ grant }) => {
      at.vault.steal(grant.wrapping_token);
      grant.expires_at = new Date(Date.now() - 1).toISOString();
    };
    const error = await failure(at.acquirer());
    assert.equal(error.code, 'GRANT_EXPIRED');
    assert.ok(!error.refused);
    assert.deepEqual(at.thefts, []);
  });

  it('that another call made is not unwrapped', async () => {
    at.broker.distort = ({ grant }) => (grant.wrapping_token = at.vault.wrap('sys/wrapping/wrap'));
    assert.equal((await failure(at.acquirer())).code, 'GRANT_FOREIGN');
    assert.deepEqual(at.vault.calls, ['sys/wrapping/lookup']);
    assert.equal(at.thefts[0]?.code, 'GRANT_FOREIGN');
  });

  it('for another ID than the broker names is refused by what Vault signs', async () => {
    at.vault.hostility = { answer: { status: 403, body: { errors: ['permission denied'] } } };
    at.broker.granted = { ...at.broker.granted, id: 'spiffe://example.org/ns/shop/sa/admin' };
    const error = await failure(at.acquirer());
    assert.equal(error.code, 'VAULT_REFUSED');
    assert.ok(error.refused);
  });

  it('survives a look-up without an answer, which costs nothing', async () => {
    at.vault.drop('sys/wrapping/lookup', 2);
    assert.equal((await at.acquirer()(null, never)).id.toString(), ID);
  });

  for (const path of ['sys/wrapping/unwrap', 'signet-pki/sign/workload']) {
    it(`is given up when ${path} has no answer: the token may be spent`, async () => {
      at.vault.drop(path, 1);
      const error = await failure(at.acquirer());
      assert.equal(error.code, 'VAULT_UNREACHABLE');
      assert.equal(at.vault.calls.filter((call) => call === path).length, 1);
      assert.deepEqual(at.thefts, []);
    });
  }
});
