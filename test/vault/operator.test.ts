import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { checkPath, pemToDer, readCertificate, readChain } from '../../lib/svid/index.ts';
import type { VaultAnswer } from '../support/vault.ts';
import {
  expectOk,
  type Lab,
  leafIn,
  newCsr,
  ORDERS_ALIAS,
  ORDERS_ID,
  ORDERS_ROLE,
  openLab,
  TRUST_DOMAIN,
} from './lab.ts';
import { newIssuer } from './new-issuer.ts';

const URI = `spiffe://${TRUST_DOMAIN}`;

/**
 * A Vault built without its UI's files serves the same API, so each test makes the calls that the UI of Vault 1.21.1 makes for the task
 * (its adapters and serializers were read for it), in the form in which it makes them.
 */
describe('an operator in the Vault UI, on a real Vault', () => {
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
  const ui = (method: string, path: string, body?: unknown) => expectOk(call(method, path, body));
  const capabilities = async (path: string): Promise<string[]> =>
    (await ui('POST', 'sys/capabilities-self', { paths: [path] })).body.data[path];
  const serve = async () => lab.sign(await lab.grant(ORDERS_ROLE, ORDERS_ALIAS));

  /** Vault answers 404 to an empty list, and the UI shows it as one. */
  const names = async (path: string): Promise<string[]> => {
    const answer = await call('GET', `${path}?list=true`);
    assert.ok(
      answer.status === 200 || (answer.status === 404 && answer.body.errors.length === 0),
      `HTTP ${answer.status}`,
    );
    return answer.body.data?.keys ?? [];
  };

  it('opens the UI and sees the two CAs, the identities, and no store of secrets to write', async () => {
    const { body } = await ui('GET', 'sys/internal/ui/mounts');
    assert.ok('signet-pki/' in body.data.secret && 'signet-pki-root/' in body.data.secret);
    assert.equal((await ui('GET', 'sys/internal/ui/mounts/signet-pki')).body.data.type, 'pki');
    await ui('GET', 'sys/internal/ui/resultant-acl');
    await ui('GET', 'auth/token/lookup-self');
    await ui('POST', 'auth/token/renew-self', {});
  });

  describe('looks at', () => {
    for (const mount of ['signet-pki', 'signet-pki-root']) {
      it(`${mount}: overview, issuers, roles, keys, certificates, configuration`, async () => {
        for (const model of [
          'config/acme',
          'config/cluster',
          'config/urls',
          'roles/example',
          'issue/example',
          'sign/example',
          'issuer/example/sign-intermediate',
          'config/auto-tidy',
        ]) {
          await ui('GET', `${mount}/${model}?help=1`);
        }
        const issuers = (await ui('GET', `${mount}/issuers?list=true`)).body.data.keys;
        for (const id of issuers) {
          await ui('GET', `${mount}/issuer/${id}`);
          for (const format of ['pem', 'der']) await ui('GET', `${mount}/issuer/${id}/${format}`);
        }
        for (const id of (await ui('GET', `${mount}/keys?list=true`)).body.data.keys)
          await ui('GET', `${mount}/key/${id}`);
        for (const name of ['acme', 'cluster', 'urls', 'crl']) await ui('GET', `${mount}/config/${name}`);
        await ui('GET', `${mount}/tidy-status`);
        for (const serial of await names(`${mount}/certs`)) await ui('GET', `${mount}/cert/${serial}`);
        for (const name of await names(`${mount}/roles`)) await ui('GET', `${mount}/roles/${name}`);
      });
    }
  });

  describe('rotates the issuer', () => {
    it('to one made in Vault: makes it, waits for verifiers, makes it the default, retires the old one, goes back', async () => {
      const old = (await ui('GET', 'signet-pki/config/issuers')).body.data.default;
      assert.ok((await capabilities('signet-pki/issuers/generate/root/internal')).includes('create'));
      const made = (await ui('POST', 'signet-pki/issuers/generate/root/internal', newIssuer('issuing-2')))
        .body.data;
      assert.ok(!('private_key' in made));
      assert.equal(
        (await ui('GET', 'signet-pki/config/issuers')).body.data.default,
        old,
        'nothing is signed with it yet',
      );
      assert.deepEqual((await lab.examine()).findings, []);

      await ui('POST', 'signet-pki/config/issuers', { default: made.issuer_id });
      const answer = await serve();
      const leaf = leafIn(answer);
      const authorities = [new Uint8Array(new X509Certificate(made.certificate).raw)];
      const bundle = { trustDomain: TRUST_DOMAIN, sequence: 1, refreshHintSeconds: null, authorities };
      const chain = [answer.body.data.certificate, ...answer.body.data.ca_chain].flatMap(pemToDer);
      checkPath(readChain(chain), bundle, new Date());
      assert.deepEqual(leaf.uriSans, [ORDERS_ID]);

      await ui('POST', `signet-pki/issuer/${old}`, {
        issuer_name: 'issuing-1',
        leaf_not_after_behavior: 'err',
        usage: 'read-only,crl-signing,ocsp-signing',
        issuing_certificates: [],
        crl_distribution_points: [],
        ocsp_servers: [],
      });
      assert.deepEqual((await lab.examine()).findings, []);

      await ui('POST', `signet-pki/issuer/${old}`, {
        usage: 'read-only,issuing-certificates,crl-signing,ocsp-signing',
      });
      await ui('POST', 'signet-pki/config/issuers', { default: old, default_follows_latest_issuer: false });
      leafIn(await serve());
    });

    it('from a self-signed issuer, as the button "Rotate this root" does', async () => {
      const { body } = await ui('POST', 'signet-pki/root/rotate/internal', newIssuer('issuing-3'));
      assert.equal(readCertificate(new X509Certificate(body.data.certificate).raw).pathLength, 0);
    });

    it('and is told by doctor when its path length was left open: the ACL cannot hold a number against another', async () => {
      const { body } = await ui('POST', 'signet-pki/root/rotate/internal', {
        ...newIssuer('open'),
        max_path_length: -1,
      });
      assert.deepEqual(
        (await lab.examine()).findings.map(({ id }) => id),
        ['issuer.path_length'],
      );
      await expectOk(lab.vault.request('DELETE', `signet-pki/issuer/${body.data.issuer_id}`));
    });

    it('under the root: makes key and request; the keeper of the root signs and imports; the operator makes it the default', async () => {
      const { csr } = (
        await ui('POST', 'signet-pki/issuers/generate/intermediate/internal', {
          common_name: 'Signet issuing CA 4',
          uri_sans: [URI],
          key_type: 'ec',
          key_bits: '256',
          exclude_cn_from_sans: true,
          format: 'pem',
          add_basic_constraints: true,
        })
      ).body.data;
      for (const path of ['root/sign-intermediate', 'issuer/default/sign-intermediate']) {
        assert.equal(
          (await call('POST', `signet-pki-root/${path}`, { csr, common_name: 'x' })).status,
          403,
          'the operator cannot sign it',
        );
      }
      const admin = await lab.tokenOf('signet-admin');
      const signed = await expectOk(
        lab.vault.request(
          'POST',
          'signet-pki-root/root/sign-intermediate',
          {
            csr,
            common_name: 'Signet issuing CA 4',
            uri_sans: URI,
            exclude_cn_from_sans: true,
            max_path_length: 0,
            ttl: '43800h',
          },
          { token: admin },
        ),
      );
      const chain = signed.body.data.ca_chain.join('\n');
      for (const [path, body] of [
        ['intermediate/set-signed', { certificate: chain }],
        ['issuers/import/cert', { pem_bundle: chain }],
      ] as const) {
        assert.equal(
          (await call('POST', `signet-pki/${path}`, body)).status,
          403,
          'the operator cannot import it',
        );
      }
      const imported = await expectOk(
        lab.vault.request(
          'POST',
          'signet-pki/intermediate/set-signed',
          { certificate: chain },
          { token: admin },
        ),
      );
      const mapping: Record<string, string> = imported.body.data.mapping;
      const [id] = Object.entries(mapping).find(([, key]) => key !== '')!;
      await ui('POST', 'signet-pki/config/issuers', { default: id });
      leafIn(await serve());
      assert.deepEqual((await lab.examine()).findings, []);
    });
  });

  describe('revokes and publishes:', () => {
    it("a broker's certificate, found in the list, and the CRL has it", async () => {
      const broker = await lab.brokerToken();
      const signed = await expectOk(
        lab.vault.request(
          'POST',
          'signet-pki/sign/broker',
          { csr: newCsr(), uri_sans: `${URI}/signet/broker` },
          { token: broker },
        ),
      );
      const serial: string = signed.body.data.serial_number;
      const listed = (await ui('GET', 'signet-pki/certs?list=true')).body.data.keys;
      assert.ok(listed.some((key: string) => key.replaceAll('-', ':') === serial));
      assert.ok((await capabilities('signet-pki/revoke')).includes('update'));
      const revoked = await ui('POST', 'signet-pki/revoke', { serial_number: serial });
      assert.ok(revoked.body.data.revocation_time > 0);
      await ui('GET', 'signet-pki/crl/rotate');
      assert.ok((await ui('GET', 'signet-pki/certs/revoked?list=true')).body.data.keys.length > 0);
      assert.ok((await ui('GET', `signet-pki/cert/${serial}`)).body.data.revocation_time > 0);
    });
    it('an SVID, which Vault does not keep, by its certificate', async () => {
      const answer = await serve();
      const revoked = await ui('POST', 'signet-pki/revoke', { certificate: answer.body.data.certificate });
      assert.equal(revoked.body.data.state, 'revoked');
    });
    it("an old issuing CA, at the root; and the root's CRL", async () => {
      const signed = await expectOk(
        lab.vault.request('POST', 'signet-pki-root/root/sign-intermediate', {
          csr: newCsr(),
          common_name: 'old',
          uri_sans: URI,
          max_path_length: 0,
        }),
      );
      const revoked = await ui('POST', 'signet-pki-root/revoke', {
        serial_number: signed.body.data.serial_number,
      });
      assert.equal(revoked.body.data.state, 'revoked');
      await ui('GET', 'signet-pki-root/crl/rotate');
    });
    it('changes the CRL and the addresses; both can be put back by apply', async () => {
      await ui('POST', 'signet-pki/config/crl', {
        expiry: '48h',
        disable: false,
        auto_rebuild: true,
        auto_rebuild_grace_period: '12h',
        enable_delta: false,
        delta_rebuild_interval: '15m',
        ocsp_expiry: '12h',
        ocsp_disable: false,
      });
      await ui('POST', 'signet-pki/config/urls', {
        issuing_certificates: ['https://vault.example.org/v1/signet-pki/ca'],
        crl_distribution_points: [],
        ocsp_servers: [],
      });
      await ui('POST', 'signet-pki/config/cluster', {
        path: 'https://vault.example.org/v1/signet-pki',
        aia_path: 'https://vault.example.org/v1/signet-pki',
      });
      assert.ok(
        !(await capabilities('signet-pki/config/acme')).includes('update'),
        'so the UI leaves ACME alone',
      );
      assert.deepEqual(
        (await lab.examine()).findings.map(({ id }) => id),
        ['pki-urls.issuing_certificates', 'pki-crl.expiry'],
      );
      await lab.apply();
    });
    it('tidies', async () => {
      await ui('GET', 'signet-pki/config/auto-tidy');
      await ui('POST', 'signet-pki/tidy', { tidy_cert_store: true, safety_buffer: '72h' });
    });
  });

  describe('takes an identity away:', () => {
    const find = async () => {
      const accessor = (await lab.vault.request('GET', 'sys/auth')).body.data['token/'].accessor;
      const found = await ui('POST', 'identity/lookup/entity', {
        alias_name: ORDERS_ALIAS,
        alias_mount_accessor: accessor,
      });
      return found.body.data;
    };

    it('finds it in the list, disables it, and enables it again', async () => {
      leafIn(await serve());
      const listed = (await ui('GET', 'identity/entity/id?list=true')).body.data;
      const { id, name } = await find();
      assert.ok(listed.keys.includes(id));
      assert.equal(listed.key_info[id].aliases[0].name, ORDERS_ALIAS);
      await ui('GET', `identity/entity/id/${id}`);
      await ui('GET', `identity/entity/name/${name}`);
      await ui('GET', 'identity/entity-alias/id?list=true');
      assert.ok((await capabilities(`identity/entity/id/${id}`)).includes('update'));
      const early = await lab.grant(ORDERS_ROLE, ORDERS_ALIAS);
      await ui('PUT', `identity/entity/id/${id}`, { name, disabled: true });
      await assert.rejects(serve());
      assert.equal((await lab.sign(early)).status, 403);
      await ui('PUT', `identity/entity/id/${id}`, { name, disabled: false });
      leafIn(await serve());
      const entity = (await ui('GET', `identity/entity/id/${id}`)).body.data;
      assert.equal(entity.aliases.length, 1, 'a write of the state leaves the rest as it was');
    });

    it('cannot give it rights, another name or another alias', async () => {
      const { id, name } = await find();
      for (const [path, body] of [
        [`identity/entity/id/${id}`, { policies: ['signet-admin'] }],
        [`identity/entity/id/${id}`, { name, disabled: false, policies: ['signet-admin'] }],
        [`identity/entity/id/${id}`, { name: 'admin' }],
        [`identity/entity/id/${id}`, { metadata: { role: 'admin' } }],
        ['identity/entity', { id, policies: ['signet-admin'] }],
        [`identity/entity/name/${name}`, { policies: ['signet-admin'] }],
        ['identity/entity-alias', { name: 'ns/shop/sa/web', canonical_id: id }],
        ['identity/entity/merge', { from_entity_ids: [id], to_entity_id: id }],
        ['identity/group', { name: 'x', policies: ['signet-admin'], member_entity_ids: [id] }],
      ] as const) {
        assert.equal((await call('POST', path, body)).status, 403, `${path} ${JSON.stringify(body)}`);
      }
    });

    it('puts it on the deny-list, signs that, and tells the brokers', async () => {
      const bump = async (path: string, data: object) => {
        const { body } = await ui('GET', path);
        await ui('POST', path, { data, options: { cas: body.data.metadata.version } });
      };
      await bump('signet/data/denylist', { ids: [ORDERS_ID], serials: [] });
      await ui('POST', 'signet-transit/sign/policy', { input: 'eA==', marshaling_algorithm: 'jws' });
      await bump('signet/data/revision', { revision: 7 });
    });
  });
});
