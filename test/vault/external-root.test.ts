import 'reflect-metadata';
import assert from 'node:assert/strict';
import type { webcrypto } from 'node:crypto';
import { Pkcs10CertificateRequest } from '@peculiar/x509';
import { createVault, withToken } from '../../lib/adapter/vault.ts';
import { Secret } from '../../lib/secret.ts';
import { checkPath, pemToDer, readChain } from '../../lib/svid/index.ts';
import { type ApplyOptions, applyLayout, examineVault, parseLayout } from '../../lib/vault-layout/index.ts';
import { type CertificateOptions, createCa, type TestCa } from '../support/ca.ts';
import { DOCUMENT, type Lab, leafIn, ORDERS_ALIAS, ORDERS_ROLE, openLab, TRUST_DOMAIN } from './lab.ts';

const LAYOUT = parseLayout({ ...DOCUMENT, root: 'external' });

describe('apply with a root kept elsewhere, on a real Vault', () => {
  let lab: Lab;
  let root: TestCa;
  let csr: string;
  before(async () => {
    lab = await openLab({ ...DOCUMENT, root: 'external' });
    root = await createCa(TRUST_DOMAIN);
    csr = (await lab.apply()).csr ?? '';
  });
  after(() => lab[Symbol.asyncDispose]());

  const apply = (options: ApplyOptions) => applyLayout(lab.port, LAYOUT, options);
  const examine = () => examineVault(lab.port, LAYOUT, { now: new Date(), nodeVersion: '26.13.1' });
  /** As the keeper of the root would: an intermediate for the request's key. */
  const sign = async (request: string, options: CertificateOptions = {}, by = root): Promise<TestCa> => {
    const publicKey = await new Pkcs10CertificateRequest(request).publicKey.export();
    const keys = { publicKey, privateKey: root.keys.privateKey } as webcrypto.CryptoKeyPair;
    return by.intermediate({ keys, pathLength: 0, subject: 'CN=issuing', ...options });
  };

  it('makes no root in Vault, and a request for the issuing CA: P-256, of the trust domain', async () => {
    const { body } = await lab.vault.request('GET', 'sys/mounts');
    assert.ok(!('signet-pki-root/' in body.data));
    const request = new Pkcs10CertificateRequest(csr);
    assert.equal((request.publicKey.algorithm as { namedCurve?: string }).namedCurve, 'P-256');
    assert.ok(Buffer.from(request.rawData).includes(`spiffe://${TRUST_DOMAIN}`));
  });

  it('gives a request for the same key every time, and changes nothing', async () => {
    const again = await lab.apply();
    assert.deepEqual(again.changes, []);
    const key = (pem: string) =>
      Buffer.from(new Pkcs10CertificateRequest(pem).publicKey.rawData).toString('hex');
    assert.equal(key(again.csr ?? ''), key(csr));
  });

  it('lets doctor say that nothing can be signed yet', async () => {
    assert.deepEqual(
      (await examine()).findings.map(({ id }) => id),
      ['issuer.none'],
    );
  });

  const refused: [what: string, chain: () => Promise<string>, why: RegExp][] = [
    [
      'for another key',
      async () => (await root.intermediate({ pathLength: 0 })).pem + root.pem,
      /not for a key/,
    ],
    ['without its root', async () => (await sign(csr)).pem, /does not end in a root/],
    [
      'of another trust domain',
      async () =>
        (await sign(csr, { sans: [{ type: 'url', value: 'spiffe://example.com' }] })).pem + root.pem,
      /URI SAN/,
    ],
    ['without an ID', async () => (await sign(csr, { sans: null })).pem + root.pem, /URI SAN/],
    ['that may make CAs', async () => (await sign(csr, { pathLength: 1 })).pem + root.pem, /path length 0/],
    [
      'that is no CA',
      async () => (await sign(csr, { ca: false })).pem + root.pem,
      /path length 0|malformed|basic constraints/,
    ],
    [
      'under a root that did not sign it',
      async () => (await sign(csr)).pem + (await createCa(TRUST_DOMAIN, { subject: 'CN=other' })).pem,
      /was not signed by the one behind it/,
    ],
    [
      'under a root of the same name that did not sign it',
      async () => (await sign(csr)).pem + (await createCa(TRUST_DOMAIN)).pem,
      /was not signed by the one behind it/,
    ],
    ['that is no certificate', async () => 'nothing', /no certificate/],
  ];
  for (const [what, chain, why] of refused) {
    it(`refuses a signed intermediate ${what}`, async () => {
      const signedIntermediate = await chain();
      await assert.rejects(apply({ signedIntermediate }), why);
      const { body } = await lab.vault.request('GET', 'signet-pki/issuers?list=true');
      assert.equal(body.data, undefined, 'nothing was imported');
    });
  }

  it('takes the right one, once, and SVIDs lead up to that root', async () => {
    const signedIntermediate = (await sign(csr)).pem + root.pem;
    const { changes, csr: still } = await apply({ signedIntermediate });
    assert.deepEqual(
      changes.map(({ summary }) => summary.split(':')[0]),
      ['issuing CA in signet-pki', 'signet-transit/keys/policy'],
    );
    assert.equal(still, undefined);
    assert.deepEqual((await apply({ signedIntermediate })).changes, []);
    assert.deepEqual(await apply({}), { changes: [] });
    assert.deepEqual((await examine()).findings, []);

    await lab.register();
    const signed = await lab.sign(await lab.grant(ORDERS_ROLE, ORDERS_ALIAS));
    leafIn(signed);
    const chain = readChain(
      [signed.body.data.certificate, ...signed.body.data.ca_chain].flatMap((pem) => pemToDer(pem)),
    );
    checkPath(
      chain,
      { trustDomain: TRUST_DOMAIN, sequence: 1, refreshHintSeconds: null, authorities: [root.der] },
      new Date(),
    );
  });

  it('takes a second one, from a request that the operator made, beside the first: it signs when it is made the default', async () => {
    const before = (await lab.vault.request('GET', 'signet-pki/config/issuers')).body.data.default;
    const operator = await lab.tokenOf('signet-operator');
    const made = await lab.vault.request(
      'POST',
      'signet-pki/issuers/generate/intermediate/internal',
      {
        common_name: 'second',
        uri_sans: `spiffe://${TRUST_DOMAIN}`,
        key_type: 'ec',
        exclude_cn_from_sans: true,
      },
      { token: operator },
    );
    using client = createVault({ address: lab.vault.address });
    const admin = withToken(client, new Secret(await lab.tokenOf('signet-admin')));
    const signedIntermediate = (await sign(made.body.data.csr, { subject: 'CN=second' })).pem + root.pem;
    const { changes } = await applyLayout(admin, LAYOUT, { signedIntermediate });
    assert.match(
      changes.map(({ summary }) => summary).join(),
      /it signs once signet-operator makes it the default/,
    );
    assert.equal((await lab.vault.request('GET', 'signet-pki/config/issuers')).body.data.default, before);
    assert.deepEqual((await examine()).findings, []);
  });
});
