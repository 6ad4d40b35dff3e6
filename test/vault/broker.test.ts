import assert from 'node:assert/strict';
import {
  expectOk,
  type Lab,
  leafIn,
  newCsr,
  ORDERS_ALIAS,
  ORDERS_ROLE,
  openLab,
  TRUST_DOMAIN,
} from './lab.ts';

const BROKER_ID = `spiffe://${TRUST_DOMAIN}/signet/broker`;

describe("a broker's own credential, on a real Vault", () => {
  let lab: Lab;
  let token: string;
  before(async () => {
    lab = await openLab();
    await lab.register();
    await lab.register({
      name: 'devices',
      match: { 'x509:kind': 'x' },
      spiffe_id: 'spiffe://example.org/device/shop/{x509:serial}',
    });
    token = await lab.brokerToken();
  });
  after(() => lab[Symbol.asyncDispose]());

  const call = (method: string, path: string, body?: unknown, wrapTtl?: string) =>
    lab.vault.request(method, path, body, { token, ...(wrapTtl === undefined ? {} : { wrapTtl }) });
  const create = (body: object, wrapTtl: string | undefined = '60s', role = ORDERS_ROLE) =>
    call('POST', `auth/token/create/${role}`, body, wrapTtl);

  it('has its own policy and no other, and is renewed for ever', async () => {
    const { body } = await call('GET', 'auth/token/lookup-self');
    assert.deepEqual(body.data.policies, ['signet-broker']);
    assert.equal(body.data.period, 3600);
    assert.equal((await call('POST', 'auth/token/renew-self', {})).status, 200);
  });

  it('gets its own TLS certificate', async () => {
    const names = { alt_names: 'localhost', ip_sans: '127.0.0.1' };
    const leaf = leafIn(
      await expectOk(
        call('POST', 'signet-pki/sign/broker', { csr: newCsr(), uri_sans: BROKER_ID, ...names }),
      ),
    );
    assert.deepEqual(leaf.uriSans, [BROKER_ID]);
    assert.deepEqual(leaf.sans.map(({ kind, value }) => `${kind} ${value}`).sort(), [
      'dns localhost',
      'ip 7f000001',
      `uri ${BROKER_ID}`,
    ]);
    assert.ok(leaf.notAfter.getTime() - Date.now() <= 24 * 3600 * 1000);
  });

  describe('reads', () => {
    for (const path of [
      'signet/data/entries/acme.shop/orders',
      'signet/metadata/entries?list=true',
      'signet/metadata/entries/acme.shop?list=true',
      'signet/data/denylist',
      'signet/data/revision',
      'signet-transit/keys/jwt-svid',
      'signet-transit/keys/policy',
      'signet-transit/keys/audit',
      'signet-pki/issuers?list=true',
      'signet-pki/issuer/default',
    ]) {
      it(path, async () => assert.equal((await call('GET', path)).status, 200));
    }
  });

  it('keeps instances, by check-and-set', async () => {
    const write = (cas: number) =>
      call('POST', 'signet/data/instances/one', { data: { n: cas }, options: { cas } });
    assert.equal((await write(0)).status, 200);
    assert.equal((await write(1)).status, 200);
    assert.equal((await write(1)).status, 400);
    assert.equal((await call('GET', 'signet/data/instances/one')).status, 200);
  });

  it('signs JWT-SVIDs and checkpoints, and derives challenge keys that all brokers share', async () => {
    const input = Buffer.from('x').toString('base64');
    assert.equal(
      (await call('POST', 'signet-transit/sign/jwt-svid', { input, marshaling_algorithm: 'jws' })).status,
      200,
    );
    assert.equal((await call('POST', 'signet-transit/sign/audit', { input })).status, 200);
    const derive = async () =>
      (await call('POST', 'signet-transit/hmac/challenge', { input })).body.data.hmac;
    assert.match(await derive(), /^vault:v1:.{44}$/);
    assert.equal(await derive(), await derive());
  });

  describe('asks in vain for', () => {
    const calls: [what: string, ask: () => Promise<{ status: number }>][] = [
      ['an unwrapped token', () => create({ entity_alias: ORDERS_ALIAS }, '')],
      ['a token wrapped for longer', () => create({ entity_alias: ORDERS_ALIAS }, '121s')],
      ['a token without an alias', () => create({ num_uses: '1' })],
      ['an empty alias', () => create({ entity_alias: '' })],
      ['a list for an alias', () => create({ entity_alias: [ORDERS_ALIAS] })],
      ['an empty list for an alias', () => create({ entity_alias: [] })],
      ["another entry's alias", () => create({ entity_alias: 'ns/shop/sa/web' })],
      ['a star for an alias', () => create({ entity_alias: '*' })],
      [
        'a star in an alias, where the entry is open',
        () => create({ entity_alias: 'device/shop/*' }, '60s', 'signet-acme.shop_devices'),
      ],
      ['a capital in an alias', () => create({ entity_alias: 'ns/shop/sa/Orders' })],
      [
        'a capital, where the entry is open',
        () => create({ entity_alias: 'device/shop/A1' }, '60s', 'signet-acme.shop_devices'),
      ],
      [
        'a way out of the pattern',
        () => create({ entity_alias: 'device/shop/../../signet/broker' }, '60s', 'signet-acme.shop_devices'),
      ],
      ['policies', () => create({ entity_alias: ORDERS_ALIAS, policies: ['signet-admin'] })],
      ['more uses', () => create({ entity_alias: ORDERS_ALIAS, num_uses: '5' })],
      ['more uses, as a number', () => create({ entity_alias: ORDERS_ALIAS, num_uses: 5 })],
      ['no limit of uses', () => create({ entity_alias: ORDERS_ALIAS, num_uses: '' })],
      ['a period', () => create({ entity_alias: ORDERS_ALIAS, period: '1h' })],
      ['a longer life', () => create({ entity_alias: ORDERS_ALIAS, explicit_max_ttl: '1h' })],
      ['a token of an ID that it chooses', () => create({ entity_alias: ORDERS_ALIAS, id: 'mine' })],
      ['a batch token', () => create({ entity_alias: ORDERS_ALIAS, type: 'batch' })],
      ['metadata', () => create({ entity_alias: ORDERS_ALIAS, meta: { a: 'b' } })],
      [
        'a role that is not there',
        () => create({ entity_alias: ORDERS_ALIAS }, '60s', 'signet-acme.shop_none'),
      ],
      ['a role that is not of Signet', () => create({ entity_alias: ORDERS_ALIAS }, '60s', 'other')],
      ['a child token', () => call('POST', 'auth/token/create', { policies: ['signet-broker'] }, '60s')],
      ['an orphan token', () => call('POST', 'auth/token/create-orphan', {}, '60s')],
      [
        "a workload's certificate",
        () =>
          call('POST', 'signet-pki/sign/workload', {
            csr: newCsr(),
            uri_sans: 'spiffe://example.org/ns/shop/sa/orders',
            ttl: '15m',
          }),
      ],
      ['a certificate with a key', () => call('POST', 'signet-pki/issue/workload', {})],
      [
        "its own with a workload's ID",
        () =>
          call('POST', 'signet-pki/sign/broker', {
            csr: newCsr(),
            uri_sans: 'spiffe://example.org/ns/shop/sa/orders',
          }),
      ],
      [
        'its own with a second ID',
        () =>
          call('POST', 'signet-pki/sign/broker', {
            csr: newCsr(),
            uri_sans: [BROKER_ID, 'spiffe://example.org/ns/shop/sa/orders'],
          }),
      ],
      [
        'its own without an ID',
        () => call('POST', 'signet-pki/sign/broker', { csr: newCsr(), uri_sans: '' }),
      ],
      [
        'its own for another host',
        () =>
          call('POST', 'signet-pki/sign/broker', {
            csr: newCsr(),
            uri_sans: BROKER_ID,
            alt_names: 'bank.example',
          }),
      ],
      [
        'its own with a common name',
        () =>
          call('POST', 'signet-pki/sign/broker', {
            csr: newCsr(),
            uri_sans: BROKER_ID,
            common_name: 'localhost',
          }),
      ],
      ['anything signed verbatim', () => call('POST', 'signet-pki/sign-verbatim', { csr: newCsr() })],
      ['a CA', () => call('POST', 'signet-pki-root/root/sign-intermediate', { csr: newCsr() })],
      ['a new root', () => call('POST', 'signet-pki/root/generate/internal', { common_name: 'x' })],
      ['the root engine', () => call('GET', 'signet-pki-root/issuer/default')],
      ['PKI roles', () => call('POST', 'signet-pki/roles/workload', { allow_any_name: true })],
      ['revocations', () => call('POST', 'signet-pki/revoke', { serial_number: '00' })],
      [
        'a token role',
        () => call('POST', `auth/token/roles/${ORDERS_ROLE}`, { allowed_entity_aliases: '*' }),
      ],
      ['the list of token roles', () => call('GET', 'auth/token/roles?list=true')],
      ['the list of all accessors', () => call('GET', 'auth/token/accessors?list=true')],
      ['an entity', () => call('POST', 'identity/entity', { name: 'x', policies: ['signet-admin'] })],
      ['an alias', () => call('POST', 'identity/entity-alias', { name: ORDERS_ALIAS })],
      [
        'an entry',
        () => call('POST', 'signet/data/entries/acme.shop/evil', { data: {}, options: { cas: 0 } }),
      ],
      ['the deletion of an entry', () => call('DELETE', 'signet/metadata/entries/acme.shop/orders')],
      ['the revision', () => call('POST', 'signet/data/revision', { data: {}, options: { cas: 1 } })],
      ['the deny-list', () => call('POST', 'signet/data/denylist', { data: {}, options: { cas: 1 } })],
      ['a policy', () => call('POST', 'signet/data/policies/x', { data: {}, options: { cas: 0 } })],
      ['a signature under policies', () => call('POST', 'signet-transit/sign/policy', { input: 'eA==' })],
      [
        'the same by another path',
        () => call('POST', 'signet-transit/sign/policy/sha2-256', { input: 'eA==' }),
      ],
      ['a key', () => call('GET', 'signet-transit/export/signing-key/jwt-svid')],
      ['a backup of a key', () => call('GET', 'signet-transit/backup/jwt-svid')],
      ["a key's rotation", () => call('POST', 'signet-transit/keys/jwt-svid/rotate')],
      ['an ACL policy', () => call('POST', 'sys/policies/acl/signet-broker', { policy: '' })],
      ['a new secret_id', () => call('POST', 'auth/signet-approle/role/broker/secret-id', {})],
      [
        'wrapping of what it likes',
        () => call('POST', 'sys/wrapping/wrap', { entry: 'acme/shop/orders' }, '60s'),
      ],
      ['the cubbyhole', () => call('POST', 'cubbyhole/x', { a: 1 })],
    ];
    for (const [what, ask] of calls) {
      it(what, async () => {
        const { status } = await ask();
        assert.ok(status === 403 || status === 400, `HTTP ${status}`);
      });
    }
  });

  describe('could, under laxer policies (each is why ours is as it is),', () => {
    const lax = async (rule: string) => {
      await expectOk(
        lab.vault.request('POST', 'sys/policies/acl/lax', {
          policy: `path "auth/token/create/signet-*" { capabilities = ["update"] ${rule} }`,
        }),
      );
      return lab.tokenOf('lax');
    };
    const ask = (evil: string, role: string, alias: string) =>
      lab.vault.request('POST', `auth/token/create/${role}`, { entity_alias: alias }, { token: evil });

    it('see the token itself, without a wrapping time-out', async () => {
      const answer = await ask(await lax(''), ORDERS_ROLE, ORDERS_ALIAS);
      assert.match(answer.body.auth.client_token, /^hvs\./);
    });
    it('mint any ID of an open entry with one alias that is a star', async () => {
      const answer = await ask(await lax(''), 'signet-acme.shop_devices', 'device/shop/*');
      const evil = 'spiffe://example.org/device/shop/anyone';
      assert.deepEqual(leafIn(await lab.sign(answer.body.auth.client_token, { uri_sans: evil })).uriSans, [
        evil,
      ]);
    });
    it('spell an entity with capitals: Vault takes it for the same one', async () => {
      const evil = await lax('');
      const entity = async (alias: string) => (await ask(evil, ORDERS_ROLE, alias)).body.auth.entity_id;
      assert.equal(await entity('NS/SHOP/sa/orders'), await entity(ORDERS_ALIAS));
    });
    it('mint an ID in capitals, where nobody came first', async () => {
      const answer = await ask(await lax(''), 'signet-acme.shop_devices', 'device/shop/Serial');
      const id = 'spiffe://example.org/device/shop/Serial';
      const policy = 'path "signet-pki/sign/workload" { capabilities = ["update"] }';
      await expectOk(lab.vault.request('POST', 'sys/policies/acl/signet-workload-15m', { policy }));
      const signed = await lab.sign(answer.body.auth.client_token, { uri_sans: id });
      await lab.apply();
      assert.deepEqual(leafIn(signed).uriSans, [id]);
    });
  });

  it('revokes by accessor any token whose accessor it knows: it can cut off, not get in', async () => {
    const victim = await lab.vault.request('POST', 'auth/token/create', { policies: ['default'] });
    await expectOk(call('POST', 'auth/token/revoke-accessor', { accessor: victim.body.auth.accessor }));
    const after = await lab.vault.request('GET', 'auth/token/lookup-self', undefined, {
      token: victim.body.auth.client_token,
    });
    assert.equal(after.status, 403);
    assert.equal(
      (await call('POST', 'auth/token/lookup-accessor', { accessor: victim.body.auth.accessor })).status,
      403,
    );
  });
});
