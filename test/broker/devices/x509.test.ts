import assert from 'node:assert/strict';
import { constants, generateKeyPairSync, type KeyObject, sign, webcrypto } from 'node:crypto';
import { before, describe, it } from 'mocha';
import { AttestationError, type AttestContext } from '../../../broker/attestors/index.ts';
import { x509 } from '../../../broker/attestors/x509.ts';
import { parseDeviceConfig } from '../../../broker/devices/config.ts';
import { createCrls } from '../../../broker/devices/crls.ts';
import { parseEntry } from '../../../lib/attestation/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import type { TestCa } from '../../support/ca.ts';
import { certifyDevice, createDeviceCa, keyName } from '../../support/device-ca.ts';
import { silentLog } from '../../support/silent-log.ts';

describe('the attestor of devices', () => {
  let ca: TestCa;
  before(async () => {
    ca = await createDeviceCa('acme');
  });
  const now = () => new Date();
  const attestor = () => {
    const document = { manufacturers: [{ tenants: ['acme'], certificates: '/ca', revocation: 'none' }] };
    const config = parseDeviceConfig(JSON.stringify(document), () => ca.pem);
    const never = () => assert.fail('nothing is written down');
    return x509({
      config,
      crls: createCrls({ places: [], authorities: [], refreshMs: 1_000, log: silentLog, now }),
      alarms: { raise: never },
      instances: { find: never, begin: never, renew: never },
    });
  };
  const context = {
    proof: Buffer.from('the proof'),
    get now() {
      return now();
    },
    correlationId: 'c',
  } as unknown as AttestContext;
  const codeOf = async (work: Promise<unknown>) => {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (error === undefined) return 'verified';
    assert.ok(error instanceof AttestationError, String(error));
    return error.code;
  };

  const RSA = { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' };
  const keys: [string, object, (key: KeyObject, proof: Uint8Array) => Buffer][] = [
    ['P-256', { name: 'ECDSA', namedCurve: 'P-256' }, (key, proof) => sign('sha256', proof, key)],
    ['P-384', { name: 'ECDSA', namedCurve: 'P-384' }, (key, proof) => sign('sha384', proof, key)],
    ['P-521', { name: 'ECDSA', namedCurve: 'P-521' }, (key, proof) => sign('sha512', proof, key)],
    ['Ed25519', { name: 'Ed25519' }, (key, proof) => sign(null, proof, key)],
    [
      'RSA',
      { name: 'RSASSA-PKCS1-v1_5', ...RSA },
      (key, proof) =>
        sign('sha256', proof, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }),
    ],
  ];
  for (const [name, algorithm, signWith] of keys) {
    it(`takes the proof of a key of ${name}, and that of no other`, async () => {
      // biome-ignore lint/suspicious/noExplicitAny: the overloads are one for each algorithm
      const made: webcrypto.CryptoKeyPair = await webcrypto.subtle.generateKey(algorithm as any, true, [
        'sign',
        'verify',
      ]);
      const { der, privateKey } = await certifyDevice(ca, 'cam-1', { keys: made });
      const chain = [Buffer.from(der).toString('base64')];
      const show = (signature: Buffer) =>
        codeOf(attestor().verify({ chain, signature: signature.toString('base64') }, context));
      assert.equal(await show(signWith(privateKey, context.proof)), 'verified');
      assert.equal(await show(signWith(privateKey, Buffer.from('another'))), 'DEVICE_PROOF');
      const { privateKey: stranger } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      assert.equal(await show(sign('sha256', context.proof, stranger)), 'DEVICE_PROOF');
      assert.equal(await show(Buffer.from('no signature')), 'DEVICE_PROOF');
    });
  }
  it('gives nothing to an entry of another tenant: DEVICE_CA_FOREIGN', async () => {
    const { der, privateKey } = await certifyDevice(ca, 'cam-1');
    const evidence = {
      chain: [Buffer.from(der).toString('base64')],
      signature: sign('sha256', context.proof, privateKey).toString('base64'),
    };
    const verified = await attestor().verify(evidence, context);
    const settled = (tenant: string) => {
      const entry = parseEntry(
        {
          ...{ tenant, name: 'fleet', ttl: '15m', match: { 'x509:ca': keyName(ca) } },
          spiffe_id: 'spiffe://example.org/fleet',
        },
        { trustDomain: 'example.org' },
      );
      return codeOf(verified.settle!({ entry, id: parseSpiffeId('spiffe://example.org/fleet') }));
    };
    assert.equal(await settled('acme'), 'verified');
    assert.equal(await settled('acme/shop'), 'verified');
    assert.equal(await settled('acme-2'), 'DEVICE_CA_FOREIGN');
    assert.equal(await settled('globex'), 'DEVICE_CA_FOREIGN');
  });
});
