import 'reflect-metadata';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { Pkcs10CertificateRequest } from '@peculiar/x509';
import { createCsr } from '../../../lib/svid/index.ts';

const p256 = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

describe('createCsr', () => {
  it('makes a request that OpenSSL verifies, with no subject and no names', () => {
    const key = p256();
    const text = execFileSync('openssl', ['req', '-noout', '-verify', '-text', '-pubkey'], {
      input: createCsr(key).pem,
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    assert.match(text, /Subject: *\n/);
    assert.match(text, /Version: 1 \(0x0\)/);
    assert.match(text, /ecdsa-with-SHA256/);
    assert.match(text, /Attributes:\s+\(none\)/);
    assert.ok(text.includes(createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString()));
  });

  it('makes a request that @peculiar/x509 verifies', async () => {
    const { der, pem } = createCsr(p256());
    const request = new Pkcs10CertificateRequest(new Uint8Array(der));
    assert.equal(await request.verify(), true);
    assert.equal(request.subject, '');
    assert.deepEqual([request.attributes.length, request.extensions.length], [0, 0]);
    assert.deepEqual(Buffer.from(new Pkcs10CertificateRequest(pem).rawData), Buffer.from(der));
  });

  it('spells out the empty attributes, which Go demands', () => {
    const { der } = createCsr(p256());
    assert.notEqual(Buffer.from(der).indexOf(Buffer.from('a000', 'hex')), -1);
  });

  for (const [what, key] of [
    ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey],
    ['secp256k1', generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey],
    ['Ed25519', generateKeyPairSync('ed25519').privateKey],
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
    ['a public key', generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey],
  ] as [string, KeyObject][]) {
    it(`refuses ${what}`, () => {
      assert.throws(() => createCsr(key), { name: 'SvidError', code: 'CSR_BAD_KEY' });
    });
  }
});
