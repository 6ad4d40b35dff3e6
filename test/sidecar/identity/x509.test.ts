import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { constants, createPublicKey, generateKeyPairSync, verify, X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { proofMessage } from '../../../lib/attestation/index.ts';
import { p256Keys, type TestCa } from '../../support/ca.ts';
import { certifyDevice, createDeviceCa } from '../../support/device-ca.ts';
import { type Attempts, createAttempts, failure, ID, never } from './attempts.ts';

describe('proving to be a device', () => {
  let at: Attempts;
  let ca: TestCa;
  beforeEach(async () => {
    at = await createAttempts();
    ca = await createDeviceCa('acme');
  });
  afterEach(() => at[Symbol.asyncDispose]());
  const acquirer = async (key: string, chain: string) => {
    const [keyFile, chainFile] = [join(at.dir, 'device.key'), join(at.dir, 'device.pem')];
    await Promise.all([writeFile(keyFile, key), writeFile(chainFile, chain)]);
    return at.acquirer({ method: 'x509', keyFile, chainFile });
  };

  it('shows the chain and a signature over the proof of this connection', async () => {
    const issuing = await ca.intermediate({ subject: 'CN=acme issuing', sans: null });
    const device = await certifyDevice(issuing, 'cam-1');
    const svid = await (await acquirer(device.privateKeyPem, device.pem + issuing.pem))(null, never);
    assert.equal(svid.id.toString(), ID);
    assert.ok(!createPublicKey(svid.key).equals(createPublicKey(device.privateKey)), 'a key of its own');
    const [, attested] = at.broker.asked;
    const { method, evidence } = attested!.body;
    assert.equal(method, 'x509');
    const shown = evidence.chain.map((each: string) => Buffer.from(each, 'base64'));
    assert.deepEqual(shown.map(String), [device.der, issuing.der].map((der) => Buffer.from(der)).map(String));
    const { exporter } = attested!;
    const message = proofMessage({ trustDomain: 'example.org', challenge: 'the-challenge', exporter });
    const { publicKey } = new X509Certificate(shown[0]);
    assert.ok(verify('sha256', message, publicKey, Buffer.from(evidence.signature, 'base64')));
  });
  for (const [type, options] of [
    ['rsa', { modulusLength: 2048 }],
    ['ed25519', {}],
  ] as const) {
    it(`signs with a key of ${type}`, async () => {
      // biome-ignore lint/suspicious/noExplicitAny: the overloads of node:crypto are one for each type
      const { privateKey } = generateKeyPairSync(type as any, options as any) as any;
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
      const made = await certifiedByOpenssl(pem, at.dir);
      await (await acquirer(pem, made))(null, never);
      const { evidence } = at.broker.asked[1]!.body;
      const { exporter } = at.broker.asked[1]!;
      const message = proofMessage({ trustDomain: 'example.org', challenge: 'the-challenge', exporter });
      const key = new X509Certificate(made).publicKey;
      const given = Buffer.from(evidence.signature, 'base64');
      const pss = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
      assert.ok(type === 'rsa' ? verify('sha256', message, pss, given) : verify(null, message, key, given));
    });
  }

  describe('says what is wrong with', () => {
    const sound = async () => await certifyDevice(ca, 'cam-1');
    const past = { notBefore: new Date(Date.now() - 7_200_000), notAfter: new Date(Date.now() - 3_600_000) };
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
    const encrypted = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' } as const;
    const cases: readonly [string, () => Promise<[key: string, chain: string]>, string][] = [
      ['a key that is none', async () => ['nothing', (await sound()).pem], 'KEY_UNREADABLE'],
      [
        'a key with a password',
        async () => [weak.export(encrypted).toString(), (await sound()).pem],
        'KEY_ENCRYPTED',
      ],
      [
        'a key that is too short',
        async () => [weak.export({ type: 'pkcs8', format: 'pem' }).toString(), (await sound()).pem],
        'KEY_KIND',
      ],
      [
        'a chain that is none',
        async () => [(await sound()).privateKeyPem, 'nothing'],
        'CERTIFICATE_UNREADABLE',
      ],
      [
        'a chain that holds the key',
        async () => {
          const { privateKeyPem, pem } = await sound();
          return [privateKeyPem, pem + privateKeyPem];
        },
        'CERTIFICATE_UNREADABLE',
      ],
      [
        'the certificate of another key',
        async () => [
          (await sound()).privateKeyPem,
          (await certifyDevice(ca, 'x', { keys: await p256Keys() })).pem,
        ],
        'CERTIFICATE_OTHER_KEY',
      ],
      [
        'a certificate that has expired',
        async () => {
          const { privateKeyPem, pem } = await certifyDevice(ca, 'x', past);
          return [privateKeyPem, pem];
        },
        'CERTIFICATE_EXPIRED',
      ],
    ];
    for (const [what, files, reason] of cases) {
      it(`${what}: ${reason}`, async () => {
        const [key, chain] = await files();
        const error = await failure(await acquirer(key, chain));
        assert.deepEqual([error.code, error.detail.reason], ['EVIDENCE_UNAVAILABLE', reason]);
        assert.ok(error.message.includes(at.dir), error.message);
        assert.deepEqual(at.broker.asked, [], 'nobody was asked');
      });
    }
    it('files that are not there', async () => {
      const spec = {
        method: 'x509',
        keyFile: join(at.dir, 'none'),
        chainFile: join(at.dir, 'none'),
      } as const;
      const error = await failure(at.acquirer(spec));
      assert.deepEqual([error.code, error.detail.reason], ['EVIDENCE_UNAVAILABLE', 'ENOENT']);
    });
  });
});

/** A certificate that the key itself signed. */
async function certifiedByOpenssl(keyPem: string, dir: string): Promise<string> {
  const file = join(dir, 'self.key');
  await writeFile(file, keyPem);
  return execFileSync('openssl', ['req', '-x509', '-new', '-key', file, '-subj', '/CN=x', '-days', '1'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  }).toString();
}
