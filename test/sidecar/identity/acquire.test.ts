import assert from 'node:assert/strict';
import { createHash, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { createLog } from '../../../lib/adapter/log.ts';
import { formatJoinCode, proofMessage, verifySshSignature } from '../../../lib/attestation/index.ts';
import { Secret } from '../../../lib/secret.ts';
import { type Acquire, createAcquire, type Theft } from '../../../sidecar/acquire.ts';
import { AcquireError, type AcquireErrorCode } from '../../../sidecar/acquire-error.ts';
import type { Svid } from '../../../sidecar/credentials.ts';
import { createEvidence } from '../../../sidecar/evidence.ts';
import { createServerClock, type MachineClock, machineClock } from '../../../sidecar/server-clock.ts';
import type { AttestSpec } from '../../../sidecar/values.ts';
import { type HostileVault, type Hostility, startHostileVault } from '../../fakes/hostile-vault.ts';
import { type BrokerOptions, type ScriptedBroker, startScriptedBroker } from '../../fakes/scripted-broker.ts';
import { createCa, digitalSignature, keyCertSign } from '../../support/ca.ts';

const ID = 'spiffe://example.org/ns/shop/sa/orders';
const never = new AbortController().signal;

describe('acquiring an SVID', () => {
  let dir: string;
  let vault: HostileVault;
  let broker: ScriptedBroker;
  let thefts: Theft[];
  let lines: string[];

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'signet-acquire-'));
    const { privateKey } = generateKeyPairSync('ed25519');
    await writeFile(join(dir, 'host_key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    vault = await startHostileVault();
    broker = await startScriptedBroker({ vault });
    thefts = [];
    lines = [];
  });
  afterEach(async () => {
    await broker[Symbol.asyncDispose]();
    await vault[Symbol.asyncDispose]();
    await rm(dir, { recursive: true });
  });

  function acquirer(spec?: AttestSpec, clock: MachineClock = machineClock): Acquire {
    const attest = spec ?? { method: 'ssh-host', keyFile: join(dir, 'host_key') };
    return createAcquire({
      broker: { trustDomain: 'example.org', url: broker.url, ca: broker.ca },
      vault: { address: null, namespace: null, ca: null },
      evidence: createEvidence(attest, { readStdin: async () => join(dir, 'no stdin') }),
      clock,
      serverClock: createServerClock(clock),
      log: createLog({ level: 'debug', write: (line) => void lines.push(line) }),
      onTheft: (theft) => void thefts.push(theft),
    });
  }

  async function failure(acquire: Acquire, current: Svid | null = null): Promise<AcquireError> {
    const error = await acquire(current, never).then(
      () => assert.fail('an SVID was given'),
      (error: unknown) => error,
    );
    assert.ok(error instanceof AcquireError, String(error));
    return error;
  }

  async function restartBroker(options: Partial<BrokerOptions>): Promise<void> {
    await broker[Symbol.asyncDispose]();
    broker = await startScriptedBroker({ vault, ...options });
  }

  it('gives an SVID for the granted ID and a key of its own', async () => {
    const svid = await acquirer()(null, never);
    assert.equal(svid.id.toString(), ID);
    const leaf = new X509Certificate(svid.certChainPem);
    assert.ok(leaf.checkPrivateKey(svid.key));
    assert.equal(svid.certChainPem.match(/BEGIN CERTIFICATE/g)?.length, 2, 'leaf and issuer, no root');
    assert.equal(svid.bundlePem.trim(), vault.root.pem.trim());
    assert.deepEqual(vault.calls, ['sys/wrapping/lookup', 'sys/wrapping/unwrap', 'signet-pki/sign/workload']);
  });

  it('signs a proof that is bound to the connection it is sent on', async () => {
    await acquirer()(null, never);
    const [challenged, attested] = broker.asked;
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
    const acquire = acquirer();
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
        vault.hostility = hostility;
        const error = await failure(acquirer());
        assert.deepEqual([error.code, error.detail.reason], ['SVID_REFUSED', reason]);
        assert.ok(error.refused);
      });
    }
    it('by a chain that is not the trust domain’s', async () => {
      vault.hostility = { issuer: await createCa('example.org') };
      const error = await failure(acquirer());
      assert.deepEqual([error.code, error.detail.reason], ['SVID_REFUSED', 'SVID_UNTRUSTED']);
    });
  });

  describe('a grant', () => {
    it('that was used by someone else raises the alarm, at the broker too', async () => {
      broker.distort = ({ grant }) => vault.steal(grant.wrapping_token);
      const error = await failure(acquirer());
      assert.equal(error.code, 'GRANT_STOLEN');
      assert.deepEqual(thefts, [{ code: 'GRANT_STOLEN', spiffeId: ID, correlationId: 'correlation-1' }]);
      const alarm = broker.asked.at(-1);
      assert.equal(alarm?.path, '/v1/alarms');
      assert.equal(alarm?.body.correlation_id, 'correlation-1');
      assert.match(alarm?.body.wrapping_token, /^hvs\.wrapping-/);
    });

    it('that is used between look-up and unwrapping raises it too', async () => {
      let token = '';
      broker.distort = ({ grant }) => (token = grant.wrapping_token);
      vault.onCall = (path) => {
        if (path === 'sys/wrapping/unwrap') vault.steal(token);
      };
      assert.equal((await failure(acquirer())).code, 'GRANT_STOLEN');
      assert.equal(thefts.length, 1);
    });

    it('raises the alarm here even when the broker cannot be told', async () => {
      broker.distort = ({ grant }) => vault.steal(grant.wrapping_token);
      broker.answers = { '/v1/alarms': () => 'drop' };
      assert.equal((await failure(acquirer())).code, 'GRANT_STOLEN');
      assert.equal(thefts.length, 1);
    });

    it('that ran out by the broker’s clock is no theft', async () => {
      broker.distort = ({ grant }) => {
        vault.steal(grant.wrapping_token);
        grant.expires_at = new Date(Date.now() - 1).toISOString();
      };
      const error = await failure(acquirer());
      assert.equal(error.code, 'GRANT_EXPIRED');
      assert.ok(!error.refused);
      assert.deepEqual(thefts, []);
    });

    it('that another call made is not unwrapped', async () => {
      broker.distort = ({ grant }) => (grant.wrapping_token = vault.wrap('sys/wrapping/wrap'));
      assert.equal((await failure(acquirer())).code, 'GRANT_FOREIGN');
      assert.deepEqual(vault.calls, ['sys/wrapping/lookup']);
      assert.equal(thefts[0]?.code, 'GRANT_FOREIGN');
    });

    it('for another ID than the broker names is refused by what Vault signs', async () => {
      vault.hostility = { answer: { status: 403, body: { errors: ['permission denied'] } } };
      broker.granted = { ...broker.granted, id: 'spiffe://example.org/ns/shop/sa/admin' };
      const error = await failure(acquirer());
      assert.equal(error.code, 'VAULT_REFUSED');
      assert.ok(error.refused);
    });

    it('survives a look-up without an answer, which costs nothing', async () => {
      vault.drop('sys/wrapping/lookup', 2);
      assert.equal((await acquirer()(null, never)).id.toString(), ID);
    });

    for (const path of ['sys/wrapping/unwrap', 'signet-pki/sign/workload']) {
      it(`is given up when ${path} has no answer: the token may be spent`, async () => {
        vault.drop(path, 1);
        const error = await failure(acquirer());
        assert.equal(error.code, 'VAULT_UNREACHABLE');
        assert.equal(vault.calls.filter((call) => call === path).length, 1);
        assert.deepEqual(thefts, []);
      });
    }
  });

  describe('asks nobody but the trust domain’s broker:', () => {
    it('another ID', async () => {
      await restartBroker({ id: 'spiffe://example.org/ns/shop/sa/orders' });
      assert.equal((await failure(acquirer())).code, 'BROKER_UNTRUSTED');
      assert.deepEqual(broker.asked, []);
    });
    it('two IDs', async () => {
      const sans = ['broker', 'other'].map((name) => ({
        type: 'url' as const,
        value: `spiffe://example.org/signet/${name}`,
      }));
      await restartBroker({ certificate: { sans } });
      assert.equal((await failure(acquirer())).code, 'BROKER_UNTRUSTED');
    });
    it('another authority', async () => {
      await restartBroker({ issuer: await createCa('example.org') });
      const error = await failure(acquirer());
      assert.equal(error.code, 'BROKER_UNTRUSTED');
      assert.ok(error.refused);
    });
    it('an expired certificate', async () => {
      const certificate = {
        notBefore: new Date(Date.now() - 7_200_000),
        notAfter: new Date(Date.now() - 3_600_000),
      };
      await restartBroker({ certificate });
      const error = await failure(acquirer());
      assert.equal(error.code, 'BROKER_UNTRUSTED');
      assert.match(error.message, /clock/);
    });
    it('one that is not valid yet blames the clock', async () => {
      await restartBroker({ certificate: { notBefore: new Date(Date.now() + 60_000) } });
      const error = await failure(acquirer());
      assert.equal(error.code, 'CLOCK_BEHIND');
      assert.match(error.message, /clock/);
    });
    it('but does mind no host name', async () => {
      await restartBroker({
        certificate: { sans: [{ type: 'url', value: 'spiffe://example.org/signet/broker' }] },
      });
      assert.equal((await acquirer()(null, never)).id.toString(), ID);
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
        broker.answers = { '/v1/attest': () => ({ status, body, headers: { 'Retry-After': '7' } }) };
        const error = await failure(acquirer());
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
        broker.distort = distort;
        assert.equal((await failure(acquirer())).code, 'BROKER_ANSWER');
        assert.deepEqual(vault.calls, []);
      });
    }
    it('size', async () => {
      broker.distort = (answer) => (answer.padding = 'x'.repeat(300_000));
      assert.equal((await failure(acquirer())).code, 'BROKER_UNREACHABLE');
    });
    it('trust domain in its challenge', async () => {
      const body = { challenge: 'x', trust_domain: 'other.org', server_time: new Date() };
      broker.answers = { '/v1/challenge': () => ({ status: 201, body }) };
      assert.equal((await failure(acquirer())).code, 'BROKER_ANSWER');
      assert.equal(broker.asked.length, 1, 'no evidence was sent');
    });
  });

  describe('with a clock that is', () => {
    const shifted = (ms: number): MachineClock => ({
      now: () => new Date(Date.now() + ms),
      monotonic: () => performance.now(),
    });
    it('90 s ahead, works', async () => {
      const svid = await acquirer(undefined, shifted(90_000))(null, never);
      assert.equal(svid.id.toString(), ID);
    });
    it('90 s ahead, more than an SVID lives, says so', async () => {
      vault.hostility = { leaf: { notAfter: new Date(Date.now() + 60_000) } };
      const error = await failure(acquirer(undefined, shifted(90_000)));
      assert.equal(error.code, 'CLOCK_AHEAD');
      assert.match(error.message, /clock is 90 s ahead/);
    });
    it('20 s behind, works', async () => {
      vault.hostility = { leaf: { notBefore: new Date(Date.now() - 30_000) } };
      await acquirer(undefined, shifted(-20_000))(null, never);
    });
    it('90 s behind, says so and spends no evidence', async () => {
      const error = await failure(acquirer(undefined, shifted(-90_000)));
      assert.equal(error.code, 'CLOCK_BEHIND');
      assert.match(error.message, /clock is 90 s behind/);
      assert.equal(broker.asked.length, 1);
    });
  });

  describe('with a join code', () => {
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
    let spec: AttestSpec;
    beforeEach(async () => {
      spec = { method: 'join', file: join(dir, 'code') };
      await writeFile(join(dir, 'code'), `${join1}\n`);
    });

    it('shows it once, and renews by its SVID over mTLS', async () => {
      const acquire = acquirer(spec);
      const first = await acquire(null, never);
      assert.equal(broker.asked[1]?.body.evidence.code, join1);
      await acquire(first, never);
      const renewal = broker.asked.at(-1)!;
      assert.equal(renewal.body.method, 'svid');
      assert.equal(renewal.client?.toLowerCase(), first.serial.replaceAll(':', ''));
      const { instance_id, generation, next_key } = renewal.body.evidence;
      assert.deepEqual([instance_id, generation], ['instance-1', 1]);
      assert.match(next_key, /^[0-9a-f]{64}$/);
    });

    it('repeats a renewal whose answer was lost with the same next key, and takes a new one after it', async () => {
      const acquire = acquirer(spec);
      const first = await acquire(null, never);
      let lost = 1;
      broker.answers = { '/v1/attest': () => (lost-- > 0 ? 'drop' : undefined) };
      assert.equal((await failure(acquire, first)).code, 'BROKER_UNREACHABLE');
      const second = await acquire(first, never);
      await acquire(second, never);
      const renewals = broker.asked
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
      const acquire = acquirer(spec);
      const first = await acquire(null, never);
      vault.hostility = { answer: { status: 500, body: {} } };
      assert.equal((await failure(acquire, first)).code, 'VAULT_UNAVAILABLE');
      vault.hostility = {};
      const second = await acquire(first, never);
      await acquire(second, never);
      const announced = broker.asked
        .filter(({ path }) => path === '/v1/attest')
        .map(({ body }) => body.evidence.next_key);
      assert.equal(announced[0], keyHash(first), 'a join announces the key of its own SVID');
      assert.deepEqual(announced.slice(1, 3), [keyHash(second), keyHash(second)]);
      assert.notEqual(announced[3], announced[2]);
    });

    it('keeps a code that was refused for its entry, which may change', async () => {
      let refusals = 1;
      broker.answers = {
        '/v1/attest': () => (refusals-- > 0 ? { status: 403, body: { code: 'entry_disabled' } } : undefined),
      };
      const acquire = acquirer(spec);
      assert.equal((await failure(acquire)).detail.reason, 'entry_disabled');
      await acquire(null, never);
    });

    it('never shows a refused code again, and takes a new one from the file', async () => {
      broker.answers = { '/v1/attest': () => ({ status: 403, body: { code: 'attestation_refused' } }) };
      const acquire = acquirer(spec);
      assert.equal((await failure(acquire)).code, 'BROKER_REFUSED');
      assert.equal((await failure(acquire)).code, 'JOIN_CODE_SPENT');
      assert.equal(broker.asked.filter(({ path }) => path === '/v1/attest').length, 1);
      broker.answers = {};
      await writeFile(join(dir, 'code'), join2);
      await acquire(null, never);
      assert.equal(broker.asked.at(-1)?.body.evidence.code, join2);
    });

    it('keeps a code that the broker had no time for', async () => {
      let busy = 1;
      broker.answers = {
        '/v1/attest': () => (busy-- > 0 ? { status: 503, body: { code: 'vault_unavailable' } } : undefined),
      };
      const acquire = acquirer(spec);
      assert.equal((await failure(acquire)).code, 'BROKER_UNAVAILABLE');
      await acquire(null, never);
    });
  });

  it('tells evidence that is not there or not usable from one refused', async () => {
    const missing = await failure(acquirer({ method: 'ssh-host', keyFile: join(dir, 'nothing') }));
    assert.deepEqual([missing.code, missing.detail.reason], ['EVIDENCE_UNAVAILABLE', 'ENOENT']);
    await writeFile(join(dir, 'code'), 'sj1.not-a-code');
    const bad = await failure(acquirer({ method: 'join', file: join(dir, 'code') }));
    assert.deepEqual([bad.code, bad.detail.reason], ['EVIDENCE_UNAVAILABLE', 'INPUT_INVALID']);
    assert.deepEqual(broker.asked, []);
  });

  it('keeps the newer bundle when it is offered an older one', async () => {
    const stranger = await createCa('example.org');
    const offer = (sequence: number, ca: { der: Uint8Array }) => {
      broker.distort = ({ bundles }) => {
        bundles['example.org'].spiffe_sequence = sequence;
        bundles['example.org'].keys[0].x5c = [Buffer.from(ca.der).toString('base64')];
      };
    };
    const acquire = acquirer();
    offer(7, vault.root);
    const first = await acquire(null, never);
    offer(6, stranger);
    const second = await acquire(first, never);
    assert.equal(second.bundlePem, first.bundlePem);
    assert.ok(lines.some((line) => line.includes('"bundle_kept"')));
  });

  it('ends at once when it is told to', async () => {
    broker.answers = { '/v1/attest': () => 'silence' };
    const controller = new AbortController();
    const attempt = acquirer()(null, controller.signal);
    setTimeout(() => controller.abort(), 100);
    await assert.rejects(attempt);
  });

  it('logs no token, code or signature, whatever goes wrong', async () => {
    broker.distort = ({ grant }) => vault.steal(grant.wrapping_token);
    broker.answers = { '/v1/alarms': () => 'drop' };
    await failure(acquirer());
    assert.ok(lines.length > 0);
    assert.doesNotMatch(lines.join(''), /hvs\.|sj1\.|SSH SIGNATURE/);
  });
});

function keyHash(svid: Svid): string {
  const spki = createPublicKey(svid.key).export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('hex');
}
