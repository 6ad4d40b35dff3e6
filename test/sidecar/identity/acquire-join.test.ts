import assert from 'node:assert/strict';
import { createHash, createPublicKey } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { formatJoinCode } from '../../../lib/attestation/index.ts';
import { Secret } from '../../../lib/secret.ts';
import type { AttestSpec } from '../../../sidecar/config/values.ts';
import type { Svid } from '../../../sidecar/identity/credentials.ts';
import { type Attempts, createAttempts, failure, never } from './attempts.ts';

const join1 = formatJoinCode({
  entry: 'acme/shop/orders',
  id: 'j1',
  wrappingToken: new Secret('hvs.j1'),
});
const join2 = formatJoinCode({
  entry: 'acme/shop/orders',
  id: 'j2',
  wrappingToken: new Secret('hvs.j2'),
});

describe('a join code', () => {
  let at: Attempts;
  let spec: AttestSpec;
  beforeEach(async () => {
    at = await createAttempts();
    spec = { method: 'join', file: join(at.dir, 'code') };
    await writeFile(spec.file, `${join1}\n`);
  });
  afterEach(() => at[Symbol.asyncDispose]());

  it('shows it once, and renews by its SVID over mTLS', async () => {
    const acquire = at.acquirer(spec);
    const first = await acquire(null, never);
    assert.equal(at.broker.asked[1]?.body.evidence.code, join1);
    await acquire(first, never);
    const renewal = at.broker.asked.at(-1)!;
    assert.equal(renewal.body.method, 'svid');
    assert.equal(renewal.client?.toLowerCase(), first.serial.replaceAll(':', ''));
    const { instance_id, generation, next_key } = renewal.body.evidence;
    assert.deepEqual([instance_id, generation], ['instance-1', 1]);
    assert.match(next_key, /^[0-9a-f]{64}$/);
  });

  it('repeats a renewal whose answer was lost with the same next key, and takes a new one after it', async () => {
    const acquire = at.acquirer(spec);
    const first = await acquire(null, never);
    let lost = 1;
    at.broker.answers = { '/v1/attest': () => (lost-- > 0 ? 'drop' : undefined) };
    assert.equal((await failure(acquire, first)).code, 'BROKER_UNREACHABLE');
    const second = await acquire(first, never);
    await acquire(second, never);
    const renewals = at.broker.asked
      .filter(({ body }) => body.method === 'svid')
      .map(({ body }) => body.evidence);
    assert.deepEqual(
      renewals.map(({ generation }) => generation),
      [1, 1, 2],
    );
    assert.equal(renewals[0].next_key, renewals[1].next_key);
    assert.notEqual(renewals[1].next_key, renewals[2].next_key);
  });

  it('announces the same key until Vault has signed for it', async () => {
    const acquire = at.acquirer(spec);
    const first = await acquire(null, never);
    at.vault.hostility = { answer: { status: 500, body: {} } };
    assert.equal((await failure(acquire, first)).code, 'VAULT_UNAVAILABLE');
    at.vault.hostility = {};
    const second = await acquire(first, never);
    await acquire(second, never);
    const announced = at.broker.asked
      .filter(({ path }) => path === '/v1/attest')
      .map(({ body }) => body.evidence.next_key);
    assert.equal(announced[0], keyHash(first), 'a join announces the key of its own SVID');
    assert.deepEqual(announced.slice(1, 3), [keyHash(second), keyHash(second)]);
    assert.notEqual(announced[3], announced[2]);
  });

  it('keeps a code that was refused for its entry, which may change', async () => {
    let refusals = 1;
    at.broker.answers = {
      '/v1/attest': () => (refusals-- > 0 ? { status: 403, body: { code: 'entry_disabled' } } : undefined),
    };
    const acquire = at.acquirer(spec);
    assert.equal((await failure(acquire)).detail.reason, 'entry_disabled');
    await acquire(null, never);
  });

  it('never shows a refused code again, and takes a new one from the file', async () => {
    at.broker.answers = { '/v1/attest': () => ({ status: 403, body: { code: 'attestation_refused' } }) };
    const acquire = at.acquirer(spec);
    assert.equal((await failure(acquire)).code, 'BROKER_REFUSED');
    assert.equal((await failure(acquire)).code, 'JOIN_CODE_SPENT');
    assert.equal(at.broker.asked.filter(({ path }) => path === '/v1/attest').length, 1);
    at.broker.answers = {};
    await writeFile(join(at.dir, 'code'), join2);
    await acquire(null, never);
    assert.equal(at.broker.asked.at(-1)?.body.evidence.code, join2);
  });

  it('keeps a code that the broker had no time for', async () => {
    let busy = 1;
    at.broker.answers = {
      '/v1/attest': () => (busy-- > 0 ? { status: 503, body: { code: 'vault_unavailable' } } : undefined),
    };
    const acquire = at.acquirer(spec);
    assert.equal((await failure(acquire)).code, 'BROKER_UNAVAILABLE');
    await acquire(null, never);
  });
});

function keyHash(svid: Svid): string {
  const spki = createPublicKey(svid.key).export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('hex');
}
