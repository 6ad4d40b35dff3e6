import assert from 'node:assert/strict';
import { csrWith, expectOk, type Lab, leafIn, ORDERS_ALIAS, ORDERS_ID, ORDERS_ROLE, openLab } from './lab.ts';

/** What Signet counts on in Vault: each of these is a statement of Vault's, tried on the real one. */
describe('a grant, on a real Vault', () => {
  let lab: Lab;
  before(async () => {
    lab = await openLab();
    await lab.register();
  });
  after(() => lab[Symbol.asyncDispose]());

  const create = (body: object, token: string, wrapTtl = '60s', role = ORDERS_ROLE) =>
    lab.vault.request('POST', `auth/token/create/${role}`, body, {
      token,
      ...(wrapTtl === '' ? {} : { wrapTtl }),
    });

  it('gives one SVID for one ID: one URI, critical, no subject, no other name, both TLS uses', async () => {
    const leaf = leafIn(await lab.sign(await lab.grant(ORDERS_ROLE, ORDERS_ALIAS)));
    assert.deepEqual(leaf.sans, [{ kind: 'uri', value: ORDERS_ID }]);
    assert.equal(leaf.sanCritical, true);
    assert.equal(leaf.subjectEmpty, true);
    assert.equal(leaf.isCa, false);
    assert.equal(leaf.basicConstraintsCritical, true);
    assert.deepEqual(leaf.keyUsage, ['digitalSignature']);
    assert.deepEqual(leaf.extendedKeyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    assert.equal(leaf.notAfter.getTime() - leaf.notBefore.getTime(), (15 * 60 + 30) * 1000);
  });

  it('names the role in creation_path, which anybody may look up, as often as he likes', async () => {
    const { body } = await create({ entity_alias: ORDERS_ALIAS, num_uses: '1' }, await lab.brokerToken());
    const { token } = body.wrap_info;
    assert.equal(body.auth, null, 'the broker must not see the token');
    assert.match(body.wrap_info.wrapped_accessor, /./);
    for (let i = 0; i < 3; i++) {
      const looked = await lab.vault.request('POST', 'sys/wrapping/lookup', { token }, { token: '' });
      assert.equal(looked.body.data.creation_path, `auth/token/create/${ORDERS_ROLE}`);
    }
  });

  it('is unwrapped once: the second time Vault knows no such token', async () => {
    const { body } = await create({ entity_alias: ORDERS_ALIAS }, await lab.brokerToken());
    const { token } = body.wrap_info;
    await expectOk(lab.vault.request('POST', 'sys/wrapping/unwrap', undefined, { token }));
    const second = await lab.vault.request('POST', 'sys/wrapping/unwrap', undefined, { token });
    assert.equal(second.status, 400);
    assert.match(second.body.errors[0], /wrapping token is not valid or does not exist/);
    const looked = await lab.vault.request('POST', 'sys/wrapping/lookup', { token }, { token: '' });
    assert.equal(looked.status, 400);
  });

  it('is spent once', async () => {
    const token = await lab.grant(ORDERS_ROLE, ORDERS_ALIAS);
    leafIn(await lab.sign(token));
    assert.equal((await lab.sign(token)).status, 403);
  });

  it('can be revoked by its accessor before it is spent', async () => {
    const token = await lab.brokerToken();
    const { body } = await create({ entity_alias: ORDERS_ALIAS }, token);
    const accessor = body.wrap_info.wrapped_accessor;
    await expectOk(lab.vault.request('POST', 'auth/token/revoke-accessor', { accessor }, { token }));
    const opened = await lab.vault.request('POST', 'sys/wrapping/unwrap', undefined, {
      token: body.wrap_info.token,
    });
    assert.equal((await lab.sign(opened.body.auth.client_token)).status, 403);
  });

  it('outlives the token of the broker that made it (the role is orphan)', async () => {
    const lent = await lab.tokenOf('signet-broker');
    const { body } = await create({ entity_alias: ORDERS_ALIAS }, lent);
    const opened = await lab.vault.request('POST', 'sys/wrapping/unwrap', undefined, {
      token: body.wrap_info.token,
    });
    await expectOk(lab.vault.request('POST', 'auth/token/revoke-self', undefined, { token: lent }));
    leafIn(await lab.sign(opened.body.auth.client_token));
  });

  describe('is burnt by', () => {
    const ways: [what: string, use: (token: string) => Promise<{ status: number }>, status: number][] = [
      ['a bad CSR', (token) => lab.sign(token, { csr: 'not a request' }), 400],
      [
        'a call that the ACL denies',
        (token) => lab.vault.request('GET', 'signet/data/revision', undefined, { token }),
        403,
      ],
      ['a parameter that the ACL denies', (token) => lab.sign(token, { ttl: '1h' }), 403],
      [
        'lookup-self',
        (token) => lab.vault.request('GET', 'auth/token/lookup-self', undefined, { token }),
        403,
      ],
      [
        'an ID that is not its own',
        (token) => lab.sign(token, { uri_sans: 'spiffe://example.org/ns/shop/sa/web' }),
        400,
      ],
    ];
    for (const [what, use, status] of ways) {
      it(what, async () => {
        const token = await lab.grant(ORDERS_ROLE, ORDERS_ALIAS);
        assert.equal((await use(token)).status, status);
        const then = await lab.sign(token);
        assert.equal(then.status, 403);
        assert.match(then.body.errors.join(), /invalid token/);
      });
    }
  });

  describe('has limits that the role sets, whatever is asked', () => {
    const looked = async (body: object) => {
      const made = await expectOk(create(body, lab.vault.rootToken, ''));
      const accessor = made.body.auth.accessor;
      return (await lab.vault.request('POST', 'auth/token/lookup-accessor', { accessor })).body.data;
    };
    it('one use, though five are asked for', async () => {
      assert.equal((await looked({ entity_alias: ORDERS_ALIAS, num_uses: 5 })).num_uses, 1);
    });
    it('five minutes, though an hour is asked for', async () => {
      const { ttl, creation_ttl: creation } = await looked({
        entity_alias: ORDERS_ALIAS,
        ttl: '1h',
        explicit_max_ttl: '1h',
      });
      assert.ok(ttl > 290 && ttl <= 300, `it lives ${ttl} s`);
      assert.equal(creation, 300);
    });
    it('one policy, without the default one', async () => {
      const data = await looked({ entity_alias: ORDERS_ALIAS });
      assert.deepEqual(data.policies, ['signet-workload-15m']);
      assert.equal(data.orphan, true);
      assert.equal(data.type, 'service');
    });
    it('no other policy, even for root', async () => {
      const made = await create(
        { entity_alias: ORDERS_ALIAS, policies: ['signet-admin'] },
        lab.vault.rootToken,
        '',
      );
      assert.equal(made.status, 400);
    });
    it('no child tokens', async () => {
      const token = (await expectOk(create({ entity_alias: ORDERS_ALIAS }, lab.vault.rootToken, ''))).body
        .auth.client_token;
      assert.equal((await lab.vault.request('POST', 'auth/token/create', {}, { token })).status, 403);
    });
  });

  it('is refused, at creation and at use, once the entity is disabled; others go on', async () => {
    const early = await lab.grant(ORDERS_ROLE, ORDERS_ALIAS);
    await lab.register({
      name: 'web',
      match: { 'k8s:ns': 'shop', 'k8s:sa': 'web' },
      spiffe_id: 'spiffe://example.org/ns/shop/sa/web',
    });
    const found = await lab.vault.request('POST', 'identity/lookup/entity', {
      alias_name: ORDERS_ALIAS,
      alias_mount_accessor: await tokenAccessor(),
    });
    const entity = `identity/entity/id/${found.body.data.id}`;
    await expectOk(lab.vault.request('POST', entity, { disabled: true }));
    try {
      assert.equal((await lab.sign(early)).status, 403);
      const made = await create({ entity_alias: ORDERS_ALIAS }, await lab.brokerToken());
      assert.equal(made.status, 403);
      leafIn(
        await lab.sign(await lab.grant('signet-acme.shop_web', 'ns/shop/sa/web'), {
          uri_sans: 'spiffe://example.org/ns/shop/sa/web',
        }),
      );
    } finally {
      await expectOk(lab.vault.request('POST', entity, { disabled: false }));
    }
    leafIn(await lab.sign(await lab.grant(ORDERS_ROLE, ORDERS_ALIAS)));
  });

  it('is refused once the role is deleted, and the unspent ones die within their five minutes only', async () => {
    await lab.register({ name: 'gone' });
    const early = await lab.grant('signet-acme.shop_gone', ORDERS_ALIAS);
    await expectOk(lab.vault.request('DELETE', 'auth/token/roles/signet-acme.shop_gone'));
    const made = await create(
      { entity_alias: ORDERS_ALIAS },
      await lab.brokerToken(),
      '60s',
      'signet-acme.shop_gone',
    );
    assert.equal(made.status, 400);
    leafIn(await lab.sign(early));
  });

  it('counts one entity to an ID, however often it is renewed', async () => {
    const before = await entities();
    for (let i = 0; i < 3; i++) leafIn(await lab.sign(await lab.grant(ORDERS_ROLE, ORDERS_ALIAS)));
    assert.equal(await entities(), before);
  });

  it('takes a role whose tenant and name hold dots, hyphens and an underscore between them', async () => {
    const deep = {
      tenant: 'acme/shop/a-b/c',
      name: 'or-ders',
      spiffe_id: 'spiffe://example.org/ns/shop/sa/deep',
    };
    await lab.register(deep);
    const token = await lab.grant('signet-acme.shop.a-b.c_or-ders', 'ns/shop/sa/deep');
    assert.deepEqual(leafIn(await lab.sign(token, { uri_sans: deep.spiffe_id })).uriSans, [deep.spiffe_id]);
    const listed = await lab.vault.request('GET', 'auth/token/roles?list=true');
    assert.ok(listed.body.data.keys.includes('signet-acme.shop.a-b.c_or-ders'));
  });

  it('is not bound to who unwraps it: its networks are', async () => {
    await lab.register({ name: 'far', networks: ['192.0.2.0/24'] });
    const token = await lab.grant('signet-acme.shop_far', ORDERS_ALIAS);
    assert.equal((await lab.sign(token)).status, 403);
  });

  for (const [what, keys] of [
    [
      'RSA',
      {
        name: 'RSASSA-PKCS1-v1_5',
        hash: 'SHA-256',
        modulusLength: 2048,
        publicExponent: new Uint8Array([1, 0, 1]),
      },
    ],
    ['Ed25519', { name: 'Ed25519' }],
  ] as const) {
    it(`is of no use for a key of ${what}`, async () => {
      const token = await lab.grant(ORDERS_ROLE, ORDERS_ALIAS);
      assert.equal((await lab.sign(token, { csr: await csrWith({ keys }) })).status, 400);
    });
  }

  it('has its document written by check-and-set only', async () => {
    const write = (body: object) => lab.vault.request('POST', 'signet/data/instances/cas-test', body);
    assert.equal((await write({ data: { n: 1 } })).status, 400, 'without cas');
    assert.equal((await write({ data: { n: 1 }, options: { cas: 0 } })).status, 200);
    const again = await write({ data: { n: 2 }, options: { cas: 0 } });
    assert.equal(again.status, 400);
    assert.match(again.body.errors.join(), /check-and-set parameter did not match/);
    assert.equal((await write({ data: { n: 2 }, options: { cas: 1 } })).status, 200);
  });

  it('is of use for a larger EC key too: key_bits is the least', async () => {
    const token = await lab.grant(ORDERS_ROLE, ORDERS_ALIAS);
    leafIn(await lab.sign(token, { csr: await csrWith({ keys: { name: 'ECDSA', namedCurve: 'P-384' } }) }));
  });

  async function tokenAccessor(): Promise<string> {
    return (await lab.vault.request('GET', 'sys/auth')).body.data['token/'].accessor;
  }
  async function entities(): Promise<number> {
    return (await lab.vault.request('GET', 'identity/entity/id?list=true')).body.data.keys.length;
  }
});
