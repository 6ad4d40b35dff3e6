import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { formatJoinCode, parseJoinCode } from '../../lib/attestation/index.ts';
import { Secret } from '../../lib/secret.ts';
import { type Reply, spendGrant } from '../support/attest-client.ts';
import { hostEntry, joinEntry, openSite, type Site, type TestBroker } from './site.ts';

describe('attestation by a one-time join code', () => {
  let site: Site;
  let broker: TestBroker;
  before(async () => {
    site = await openSite();
    broker = await site.startBroker();
    for (const name of ['orders', 'other']) {
      const reply = await broker.call('POST', '/v1/entries', joinEntry(name), site.registrar.shop);
      assert.equal(reply.status, 201, JSON.stringify(reply.body));
    }
  });
  after(() => site?.[Symbol.asyncDispose]());

  const newCode = async (name = 'orders', body: object = {}): Promise<string> => {
    const reply = await broker.call(
      'POST',
      `/v1/entries/acme.shop/${name}/join-code`,
      body,
      site.registrar.shop,
    );
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
    return reply.body.code;
  };
  const show = async (code: string): Promise<Reply> => {
    using client = await broker.connect();
    return await client.attest('join', () => ({ code }));
  };
  const expectRefused = (reply: Reply) =>
    assert.deepEqual([reply.status, reply.body.code], [403, 'attestation_refused']);
  const alarms = () => broker.metric('signet_broker_join_code_alarms_total');

  it('gives its holder the ID and the beginning of an instance', async () => {
    const reply = await show(await newCode());
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
    assert.equal(reply.body.spiffe_id, 'spiffe://example.org/ns/shop/sa/orders');
    assert.equal(reply.body.instance.generation, 1);
    await spendGrant(site.vault.request, reply.body);
  });

  it('is good once: a second use is refused and raises the alarm', async () => {
    const code = await newCode();
    const before = await alarms();
    assert.equal((await show(code)).status, 201);
    assert.equal(await alarms(), before);
    expectRefused(await show(code));
    assert.equal(await alarms(), before + 1);
    const line = await broker.waitForEvent('join_code_alarm');
    assert.deepEqual([line['level'], line['entry']], ['alarm', 'acme/shop/orders']);
  });

  it('of two that show it at the same time, one is given the ID', async () => {
    const code = await newCode();
    const replies = await Promise.all(Array.from({ length: 6 }, () => show(code)));
    assert.equal(replies.filter(({ status }) => status === 201).length, 1);
    assert.equal(replies.filter(({ status }) => status === 403).length, 5);
  });

  it('unwrapped by a thief at Vault, is refused and raises the alarm', async () => {
    const code = await newCode();
    const before = await alarms();
    const token = parseJoinCode(code).wrappingToken.reveal();
    assert.equal((await site.vault.request('POST', 'sys/wrapping/unwrap', {}, { token })).status, 200);
    expectRefused(await show(code));
    assert.equal(await alarms(), before + 1);
  });

  it('that ran out unused is refused without an alarm', async () => {
    const reply = await broker.call(
      'POST',
      '/v1/entries/acme.shop/orders/join-code',
      { ttl_seconds: 10 },
      site.registrar.shop,
    );
    const { entry, id, wrappingToken } = parseJoinCode(reply.body.code);
    const before = await alarms();
    await site.vault.request('POST', 'auth/token/revoke', { token: wrappingToken.reveal() });
    const late = formatJoinCode({ entry, id, wrappingToken, expiresAt: new Date(Date.now() - 1000) });
    expectRefused(await show(late));
    assert.equal(await alarms(), before);
    assert.ok(broker.logs().some(({ reason }) => /has run out unused/.test(String(reason))));
  });

  it('is refused, and not spent, while its entry is disabled', async () => {
    const code = await newCode('other');
    const turn = (verb: string) =>
      broker.call('POST', `/v1/entries/acme.shop/other/${verb}`, {}, site.registrar.shop);
    await turn('disable');
    expectRefused(await show(code));
    await turn('enable');
    assert.equal((await show(code)).status, 201);
  });

  describe('that was forged', () => {
    it("by wrapping a document of one's own is refused", async () => {
      const wrapped = await site.vault.request(
        'POST',
        'sys/wrapping/wrap',
        { entry: 'acme/shop/orders', id: 'f-1' },
        { wrapTtl: '60s' },
      );
      const wrappingToken = new Secret(wrapped.body.wrap_info.token);
      expectRefused(await show(formatJoinCode({ entry: 'acme/shop/orders', id: 'f-1', wrappingToken })));
    });
    it("by another tenant's registrar is refused", async () => {
      const { globex } = site.registrar;
      const data = { entry: 'acme/shop/orders', id: 'f-2' };
      const denied = await site.vault.request(
        'POST',
        'signet/data/joins/acme.shop/orders.f-2',
        { data, options: { cas: 0 } },
        { token: globex },
      );
      assert.equal(denied.status, 403);
      const path = 'signet/data/joins/globex/orders.f-2';
      assert.equal(
        (await site.vault.request('POST', path, { data, options: { cas: 0 } }, { token: globex })).status,
        200,
      );
      const wrapped = await site.vault.request('GET', path, undefined, { token: globex, wrapTtl: '60s' });
      const wrappingToken = new Secret(wrapped.body.wrap_info.token);
      expectRefused(await show(formatJoinCode({ entry: 'acme/shop/orders', id: 'f-2', wrappingToken })));
    });
    it('by giving it the name of another entry is refused', async () => {
      const { id, wrappingToken } = parseJoinCode(await newCode('other'));
      expectRefused(await show(formatJoinCode({ entry: 'acme/shop/orders', id, wrappingToken })));
    });
    it('by whoever makes codes only for names that begin so is refused', async () => {
      const rule = 'path "signet/data/joins/acme.shop/web-*" { capabilities = ["create", "read", "update"] }';
      await site.vault.request('POST', 'sys/policies/acl/web-alone', { policy: rule });
      const token = await site.tokenOf('web-alone');
      for (const [path, id] of [
        ['web-f', 'web-f'],
        ['web-one.f-4', 'f-4'],
      ] as const) {
        const at = `signet/data/joins/acme.shop/${path}`;
        const document = { data: { entry: 'acme/shop/orders', id }, options: { cas: 0 } };
        assert.equal((await site.vault.request('POST', at, document, { token })).status, 200);
        const wrapped = await site.vault.request('GET', at, undefined, { token, wrapTtl: '60s' });
        const wrappingToken = new Secret(wrapped.body.wrap_info.token);
        expectRefused(await show(formatJoinCode({ entry: 'acme/shop/orders', id, wrappingToken })));
      }
    });
    it('by wrapping the same join twice is refused', async () => {
      const path = 'signet/data/joins/acme.shop/orders.f-3';
      const token = site.registrar.shop;
      await site.vault.request(
        'POST',
        path,
        { data: { entry: 'acme/shop/orders', id: 'f-3' }, options: { cas: 0 } },
        { token },
      );
      const wrap = async () => {
        const wrapped = await site.vault.request('GET', path, undefined, { token, wrapTtl: '60s' });
        return formatJoinCode({
          entry: 'acme/shop/orders',
          id: 'f-3',
          wrappingToken: new Secret(wrapped.body.wrap_info.token),
        });
      };
      const [first, second] = [await wrap(), await wrap()];
      assert.equal((await show(first)).status, 201);
      expectRefused(await show(second));
    });
    for (const [what, code] of [
      ['nothing', ''],
      ['a word', 'let-me-in'],
      ['a token without claims', 'hvs.abc'],
      [
        'an entry that is none',
        formatJoinCode({ entry: 'acme/shop/none', id: 'x', wrappingToken: new Secret('hvs.x') }),
      ],
    ] as const) {
      it(`as ${what} is refused without an alarm`, async () => {
        const before = await alarms();
        expectRefused(await show(code));
        assert.equal(await alarms(), before);
      });
    }
  });

  describe('is not made', () => {
    const ask = (name: string, body: object, token: string) =>
      broker.call('POST', `/v1/entries/acme.shop/${name}/join-code`, body, token);
    it('for an entry that is not for join codes', async () => {
      await broker.call(
        'POST',
        '/v1/entries',
        hostEntry('keyed', { 'ssh-host:key': 'SHA256:abc' }),
        site.registrar.shop,
      );
      const reply = await ask('keyed', {}, site.registrar.shop);
      assert.deepEqual([reply.status, reply.body.code], [409, 'entry_state']);
    });
    it('for an entry that is not there', async () => {
      const reply = await ask('nobody', {}, site.registrar.shop);
      assert.deepEqual([reply.status, reply.body.code], [404, 'entry_not_found']);
    });
    it("by another tenant's registrar", async () => {
      const reply = await ask('orders', {}, site.registrar.globex);
      assert.deepEqual([reply.status, reply.body.code], [403, 'vault_denied']);
    });
    it('for ever', async () => {
      const reply = await ask('orders', { ttl_seconds: 10 ** 6 }, site.registrar.shop);
      assert.deepEqual([reply.status, reply.body.code], [400, 'malformed']);
    });
  });

  it('cannot be read by a broker, so that none can make one', async () => {
    const logs = await site.vault.request('LIST', 'signet/metadata/joins/acme.shop/');
    const token = await site.tokenOf('signet-broker');
    const path = `signet/data/joins/acme.shop/${logs.body.data.keys[0]}`;
    assert.equal((await site.vault.request('GET', path, undefined, { token, wrapTtl: '60s' })).status, 403);
  });

  it('an entry for join codes names itself', async () => {
    const entry = hostEntry('sly', { 'join:entry': 'acme/shop/orders' });
    const reply = await broker.call('POST', '/v1/entries', entry, site.registrar.shop);
    assert.deepEqual(
      [reply.status, reply.body.code, reply.body.errors[0].pointer],
      [400, 'malformed', '/match'],
    );
  });
});
