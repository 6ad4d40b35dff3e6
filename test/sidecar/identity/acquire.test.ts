import assert from 'node:assert/strict';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { proofMessage, verifySshSignature } from '../../../lib/attestation/index.ts';
import type { MachineClock } from '../../../sidecar/identity/server-clock.ts';
import type { Hostility } from '../../fakes/hostile-vault.ts';
import { createCa, digitalSignature, keyCertSign } from '../../support/ca.ts';
import { type Attempts, createAttempts, failure, ID, never } from './attempts.ts';

describe('acquiring an SVID', () => {
  let at: Attempts;
  beforeEach(async () => {
    at = await createAttempts();
  });
  afterEach(() => at[Symbol.asyncDispose]());

  it('gives an SVID for the granted ID and a key of its own', async () => {
    const svid = await at.acquirer()(null, never);
    assert.equal(svid.id.toString(), ID);
    const leaf = new X509Certificate(svid.certChainPem);
    assert.ok(leaf.checkPrivateKey(svid.key));
    assert.equal(svid.certChainPem.match(/BEGIN CERTIFICATE/g)?.length, 2, 'leaf and issuer, no root');
    assert.equal(svid.bundlePem.trim(), at.vault.root.pem.trim());
    assert.deepEqual(at.vault.calls, [
      'sys/wrapping/lookup',
      'sys/wrapping/unwrap',
      'signet-pki/sign/workload',
    ]);
  });

  it('signs a proof that is bound to the connection it is sent on', async () => {
    await at.acquirer()(null, never);
    const [challenged, attested] = at.broker.asked;
    assert.equal(challenged?.connection, attested?.connection);
    const message = proofMessage({
      trustDomain: 'example.org',
      challenge: 'the-challenge',
      exporter: attested!.exporter,
    });
    const { signature } = attested!.body.evidence;
    verifySshSignature({ armored: signature, namespace: 'signet-attest-v1', message, now: new Date() });
  });

  it('makes a new key each time', async () => {
    const acquire = at.acquirer();
    const [first, second] = [await acquire(null, never), await acquire(null, never)];
    assert.ok(!createPublicKey(first.key).equals(createPublicKey(second.key)));
  });

  describe('refuses what a hostile CA signs:', () => {
    const other = {
      sans: [
        { type: 'url', value: ID },
        { type: 'dns', value: 'orders' },
      ],
    } as const;
    const twice = {
      sans: [
        { type: 'url', value: ID },
        { type: 'url', value: ID },
      ],
    } as const;
    const past = { notBefore: new Date(Date.now() - 7_200_000), notAfter: new Date(Date.now() - 3_600_000) };
    const long = { notAfter: new Date(Date.now() + 30 * 86_400_000) };
    const cases: readonly [string, Hostility, string][] = [
      ['another ID', { id: 'spiffe://example.org/ns/shop/sa/admin' }, 'SVID_WRONG_ID'],
      ['another key', { otherKey: true }, 'SVID_WRONG_KEY'],
      ['two URIs', { leaf: { sans: [...twice.sans] } }, 'SVID_MANY_URI_SANS'],
      ['a DNS name beside the ID', { leaf: { sans: [...other.sans] } }, 'SVID_OTHER_SAN'],
      ['no URI', { leaf: { sans: [{ type: 'dns', value: 'orders' }] } }, 'SVID_NO_URI_SAN'],
      ['a CA', { leaf: { ca: true } }, 'SVID_IS_CA'],
      [
        'a key that may sign certificates',
        { leaf: { keyUsage: digitalSignature | keyCertSign } },
        'SVID_KEY_USAGE',
      ],
      ['a subject', { leaf: { subject: 'CN=admin' } }, 'SVID_SUBJECT'],
      ['one that has expired', { leaf: past }, 'SVID_EXPIRED'],
      ['one that lives longer than was granted', { leaf: long }, 'SVID_TOO_LONG'],
      [
        'something that is no certificate',
        { answer: { status: 200, body: { data: { certificate: 'no', ca_chain: [] } } } },
        'SVID_MALFORMED',
      ],
    ];
    for (const [name, hostility, reason] of cases) {
      it(name, async () => {
        at.vault.hostility = hostility;
        const error = await failure(at.acquirer());
        assert.deepEqual([error.code, error.detail.reason], ['SVID_REFUSED', reason]);
        assert.ok(error.refused);
      });
    }
    it('by a chain that is not the trust domain’s', async () => {
      at.vault.hostility = { issuer: await createCa('example.org') };
      const error = await failure(at.acquirer());
      assert.deepEqual([error.code, error.detail.reason], ['SVID_REFUSED', 'SVID_UNTRUSTED']);
    });
  });

  describe('with a clock that is', () => {
    const shifted = (ms: number): MachineClock => ({
      now: () => new Date(Date.now() + ms),
      monotonic: () => performance.now(),
    });
    it('90 s ahead, works', async () => {
      const svid = await at.acquirer(undefined, shifted(90_000))(null, never);
      assert.equal(svid.id.toString(), ID);
    });
    it('90 s ahead, more than an SVID lives, says so', async () => {
      at.vault.hostility = { leaf: { notAfter: new Date(Date.now() + 60_000) } };
      const error = await failure(at.acquirer(undefined, shifted(90_000)));
      assert.equal(error.code, 'CLOCK_AHEAD');
      assert.match(error.message, /clock is 90 s ahead/);
    });
    it('20 s behind, works', async () => {
      at.vault.hostility = { leaf: { notBefore: new Date(Date.now() - 30_000) } };
      await at.acquirer(undefined, shifted(-20_000))(null, never);
    });
    it('90 s behind, says so and spends no evidence', async () => {
      const error = await failure(at.acquirer(undefined, shifted(-90_000)));
      assert.equal(error.code, 'CLOCK_BEHIND');
      assert.match(error.message, /clock is 90 s behind/);
      assert.equal(at.broker.asked.length, 1);
    });
  });

  it('tells evidence that is not there or not usable from one refused', async () => {
    const missing = await failure(at.acquirer({ method: 'ssh-host', keyFile: join(at.dir, 'nothing') }));
    assert.deepEqual([missing.code, missing.detail.reason], ['EVIDENCE_UNAVAILABLE', 'ENOENT']);
    await writeFile(join(at.dir, 'code'), 'sj1.not-a-code');
    const bad = await failure(at.acquirer({ method: 'join', file: join(at.dir, 'code') }));
    assert.deepEqual([bad.code, bad.detail.reason], ['EVIDENCE_UNAVAILABLE', 'INPUT_INVALID']);
    assert.deepEqual(at.broker.asked, []);
  });

  it('keeps the newer bundle when it is offered an older one', async () => {
    const stranger = await createCa('example.org');
    const offer = (sequence: number, ca: { der: Uint8Array }) => {
      at.broker.distort = ({ bundles }) => {
        bundles['example.org'].spiffe_sequence = sequence;
        bundles['example.org'].keys[0].x5c = [Buffer.from(ca.der).toString('base64')];
      };
    };
    const acquire = at.acquirer();
    offer(7, at.vault.root);
    const first = await acquire(null, never);
    offer(6, stranger);
    const second = await acquire(first, never);
    assert.equal(second.bundlePem, first.bundlePem);
    assert.ok(at.lines.some((line) => line.includes('"bundle_kept"')));
  });

  it('ends at once when it is told to', async () => {
    at.broker.answers = { '/v1/attest': () => 'silence' };
    const controller = new AbortController();
    const attempt = at.acquirer()(null, controller.signal);
    setTimeout(() => controller.abort(), 100);
    await assert.rejects(attempt);
  });

  it('logs no token, code or signature, whatever goes wrong', async () => {
    at.broker.distort = ({ grant }) => at.vault.steal(grant.wrapping_token);
    at.broker.answers = { '/v1/alarms': () => 'drop' };
    await failure(at.acquirer());
    assert.ok(at.lines.length > 0);
    assert.doesNotMatch(at.lines.join(''), /hvs\.|sj1\.|SSH SIGNATURE/);
  });
});
