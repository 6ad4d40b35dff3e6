import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readCertificate } from '../../lib/svid/index.ts';
import type { VaultAnswer } from '../support/vault.ts';
import {
  csrWith,
  expectOk,
  type Lab,
  newCsr,
  ORDERS_ALIAS,
  ORDERS_ID,
  ORDERS_ROLE,
  openLab,
  TRUST_DOMAIN,
} from './lab.ts';
import { newIssuer } from './new-issuer.ts';

const URI = `spiffe://${TRUST_DOMAIN}`;

describe('an operator, on a real Vault,', () => {
  let lab: Lab;
  let token: string;
  before(async () => {
    lab = await openLab();
    await lab.register();
    token = await lab.tokenOf('signet-operator');
  });
  after(() => lab[Symbol.asyncDispose]());

  const call = (method: string, path: string, body?: unknown): Promise<VaultAnswer> =>
    lab.vault.request(method, path, body, { token });

  describe('can neither sign a workload nor make a CA that would:', () => {
    const csr = newCsr();
    const calls: [path: string, body: object][] = [
      ['signet-pki/sign/workload', { csr, uri_sans: ORDERS_ID, ttl: '15m' }],
      ['signet-pki/sign/broker', { csr, uri_sans: `${URI}/signet/broker` }],
      ['signet-pki/issue/workload', { uri_sans: ORDERS_ID }],
      ['signet-pki/sign-verbatim', { csr }],
      ['signet-pki/sign-verbatim/workload', { csr }],
      ['signet-pki/issuer/default/sign/workload', { csr, uri_sans: ORDERS_ID }],
      ['signet-pki/issuer/default/issue/workload', { uri_sans: ORDERS_ID }],
      ['signet-pki/issuer/default/sign-verbatim', { csr }],
      ['signet-pki/issuer/default/sign-verbatim/workload', { csr }],
      ['signet-pki/issuer/default/sign-intermediate', { csr, common_name: 'x' }],
      ['signet-pki/issuer/default/sign-self-issued', { certificate: 'x' }],
      ['signet-pki/root/sign-intermediate', { csr, common_name: 'x' }],
      ['signet-pki/root/sign-self-issued', { certificate: 'x' }],
      ['signet-pki-root/sign-verbatim', { csr }],
      ['signet-pki-root/issuer/default/sign-intermediate', { csr, common_name: 'x' }],
      ['signet-pki/roles/workload', { allow_any_name: true }],
      ['signet-pki/roles/mine', { allow_any_name: true }],
      ['signet-pki/issuers/generate/root/exported', newIssuer('mine')],
      ['signet-pki/issuers/generate/root/existing', newIssuer('mine')],
      ['signet-pki/issuers/generate/intermediate/exported', newIssuer('mine')],
      ['signet-pki/root/generate/exported', newIssuer('mine')],
      ['signet-pki/root/rotate/exported', newIssuer('mine')],
      ['signet-pki/root/replace', { default: 'x' }],
      ['signet-pki/intermediate/generate/exported', newIssuer('mine')],
      ['signet-pki/intermediate/cross-sign', newIssuer('mine')],
      ['signet-pki/keys/generate/exported', { key_type: 'ec' }],
      ['signet-pki/keys/import', { pem_bundle: 'x' }],
      ['signet-pki/issuers/import/bundle', { pem_bundle: 'x' }],
      ['signet-pki/issuers/import/cert', { pem_bundle: 'x' }],
      ['signet-pki/config/ca', { pem_bundle: 'x' }],
      ['signet-pki/config/acme', { enabled: true }],
      ['signet-pki/acme/new-eab', {}],
      ['signet-pki/config/keys', { default: 'x' }],
      ['signet-pki-root/issuers/import/bundle', { pem_bundle: 'x' }],
      ['signet-pki-root/roles/mine', { allow_any_name: true }],
      ['signet-pki-root/config/issuers', { default: 'x' }],
      ['sys/mounts/signet-pki/tune', { max_lease_ttl: '1h' }],
      ['sys/mounts/evil', { type: 'pki' }],
    ];
    for (const [path, body] of calls) {
      it(path, async () => assert.equal((await call('POST', path, body)).status, 403));
    }
    for (const [what, change] of [
      ['of another trust domain', { uri_sans: ['spiffe://example.com'] }],
      ['of two trust domains', { uri_sans: [URI, 'spiffe://example.com'] }],
      ["with a workload's ID", { uri_sans: [ORDERS_ID] }],
      ['without an ID', { uri_sans: [] }],
      ['with an RSA key', { key_type: 'rsa' }],
    ] as const) {
      it(`an issuer ${what}`, async () => {
        const body = { ...newIssuer('mine'), ...change };
        assert.equal((await call('POST', 'signet-pki/issuers/generate/root/internal', body)).status, 403);
        assert.equal((await call('POST', 'signet-pki/root/rotate/internal', body)).status, 403);
      });
    }
    it('a leaf that outlives its issuer, a CRL that is off, an issuer that signs at once', async () => {
      assert.equal(
        (await call('POST', 'signet-pki/issuer/default', { leaf_not_after_behavior: 'permit' })).status,
        403,
      );
      assert.equal((await call('POST', 'signet-pki/config/crl', { disable: true })).status, 403);
      const { default: id } = (await call('GET', 'signet-pki/config/issuers')).body.data;
      assert.equal(
        (
          await call('POST', 'signet-pki/config/issuers', {
            default: id,
            default_follows_latest_issuer: true,
          })
        ).status,
        403,
      );
    });
    for (const path of [
      'signet-pki/root',
      'signet-pki/issuer/default',
      'signet-pki/key/default',
      'signet-pki/roles/workload',
      'signet-pki-root/root',
    ]) {
      it(`nor delete ${path}`, async () => assert.equal((await call('DELETE', path)).status, 403));
    }
  });

  it('would sign workloads if it could sign an intermediate: a CA with a key of its own', async () => {
    const admin = await lab.tokenOf('signet-admin');
    const answer = await expectOk(
      lab.vault.request(
        'POST',
        'signet-pki-root/root/sign-intermediate',
        { csr: await csrWith({ subject: 'CN=mine' }), common_name: 'mine', uri_sans: URI },
        { token: admin },
      ),
    );
    assert.equal(readCertificate(new X509Certificate(answer.body.data.certificate).raw).isCa, true);
  });

  describe('can register nothing and be nobody else:', () => {
    const calls: [method: string, path: string, body?: object][] = [
      ['POST', 'auth/token/roles/signet-acme.shop_evil', { allowed_policies: 'signet-workload-15m' }],
      ['DELETE', `auth/token/roles/${ORDERS_ROLE}`],
      ['POST', `auth/token/create/${ORDERS_ROLE}`, { entity_alias: ORDERS_ALIAS }],
      ['POST', 'auth/token/create', {}],
      ['POST', 'signet/data/entries/acme.shop/evil', { data: {}, options: { cas: 0 } }],
      ['DELETE', 'signet/metadata/entries/acme.shop/orders'],
      ['POST', 'signet/data/joins/acme.shop/evil', { data: {}, options: { cas: 0 } }],
      ['GET', 'signet/data/joins/acme.shop/one'],
      ['POST', 'signet/data/policies/evil', { data: {}, options: { cas: 0 } }],
      ['POST', 'signet/data/instances/evil', { data: {}, options: { cas: 0 } }],
      ['POST', 'signet-transit/sign/jwt-svid', { input: 'eA==' }],
      ['POST', 'signet-transit/hmac/challenge', { input: 'eA==' }],
      ['POST', 'auth/signet-approle/role/broker/secret-id', {}],
      ['POST', 'sys/policies/acl/signet-operator', { policy: '' }],
    ];
    for (const [method, path, body] of calls) {
      it(`${method} ${path}`, async () => assert.equal((await call(method, path, body)).status, 403));
    }
  });
});
