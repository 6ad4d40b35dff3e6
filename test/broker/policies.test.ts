import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { callerOf } from '../../lib/adapter/caller.ts';
import type { VaultCaller } from '../../lib/adapter/documents.ts';
import { changeDenylist } from '../../lib/adapter/publishing/deny.ts';
import { type NewDocument, publish, published, rollback } from '../../lib/adapter/publishing/publish.ts';
import { createVault, type Vault } from '../../lib/adapter/vault.ts';
import { SignetError } from '../../lib/errors.ts';
import { MOST_DOCUMENTS, verifyDelivery, verifyDenylist } from '../../lib/manifest/index.ts';
import { Secret } from '../../lib/secret.ts';
import { parseSpiffeId } from '../../lib/spiffe/index.ts';
import { pemToDer } from '../../lib/svid/index.ts';
import { type Reply, spendGrant, type TestSvid } from '../support/attest-client.ts';
import {
  joinEntry,
  openSite,
  type Site,
  type TestBroker,
  touchRevision,
  until,
  writeDenylist,
} from './site.ts';

const ORDERS = 'spiffe://example.org/ns/shop/sa/orders';
const now = () => new Date();

function document(name: string, target = ORDERS): NewDocument {
  const level = 'application';
  return { name, target, level, text: JSON.stringify({ name, level, target }) };
}

describe('published policies', function () {
  this.timeout(60_000);
  let site: Site;
  let broker: TestBroker;
  let vault: Vault;
  let author: VaultCaller;
  let operator: VaultCaller;
  let orders: TestSvid;
  before(async () => {
    site = await openSite();
    broker = await site.startBroker();
    vault = createVault({ address: site.vault.address });
    author = callerOf(vault, new Secret(await site.tokenOf('signet-author')));
    operator = callerOf(vault, new Secret(await site.tokenOf('signet-operator')));
    orders = await join('orders');
  });
  after(async () => {
    vault?.[Symbol.dispose]();
    await site?.[Symbol.asyncDispose]();
  });

  const join = async (name: string): Promise<TestSvid> => {
    await broker.call('POST', '/v1/entries', joinEntry(name), site.registrar.shop);
    const path = `/v1/entries/acme.shop/${name}/join-code`;
    const { code } = (await broker.call('POST', path, {}, site.registrar.shop)).body;
    using client = await broker.connect();
    const reply = await client.attest('join', () => ({ code }));
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
    return await spendGrant(site.vault.request, reply.body);
  };
  const poll = async (query: string, shown: TestSvid | null = orders, at = broker): Promise<Reply> => {
    using client = await at.connect(shown === null ? {} : { shown });
    return await client.send('GET', `/v1/policies?${query}`);
  };
  const verified = ({ body }: Reply, after = 0) => {
    const { text, signature, chain, documents } = body.policies;
    const authorities = pemToDer(site.ca);
    const bundle = { trustDomain: 'example.org', sequence: 0, refreshHintSeconds: 0, authorities };
    const chainDer = chain.map((der: string) => Buffer.from(der, 'base64'));
    const claim = { bundle, now: now(), id: parseSpiffeId(ORDERS), after };
    return verifyDelivery({ text, signature, chainDer }, documents, claim);
  };
  const status = async () => {
    const token = await site.tokenOf('signet-viewer');
    return (await broker.call('GET', '/v1/policies/status', undefined, token)).body;
  };

  it('reach a workload that waits, as they were signed, with its own documents and no other', async () => {
    const waiting = poll('after=0');
    await until(async () => (await status()).sidecars.length === 1);
    const { version } = await publish(author, [document('a'), document('b'), document('x', `${ORDERS}-2`)], {
      now: now(),
    });
    const reply = await waiting;
    assert.deepEqual([version, reply.status], [1, 200]);
    const { manifest, documents } = verified(reply);
    assert.deepEqual([manifest.version, manifest.documents.length], [1, 3]);
    assert.deepEqual(
      documents.map(({ name }) => name),
      ['a', 'b'],
    );
    assert.equal(reply.body.policies.documents.length, 2);
  });

  it('reach who has an older version at once, and who takes none never', async () => {
    assert.equal((await poll('after=0')).status, 200);
    using client = await broker.connect({ shown: orders });
    const waiting = client.send('GET', '/v1/policies?denied=0').catch(() => 'still waiting');
    await changeDenylist(operator, () => ({ ids: [`${ORDERS}-9`], serials: [] }), now());
    const reply = (await waiting) as Reply;
    assert.deepEqual([reply.status, Object.keys(reply.body)], [200, ['denylist']]);
  });

  it('are for workloads that show a valid SVID, in a form that is understood', async () => {
    const code = async (reply: Promise<Reply>) => [(await reply).status, (await reply).body?.code];
    assert.deepEqual(await code(poll('after=0', null)), [401, 'svid_needed']);
    for (const query of [
      'after=-1',
      'after=x',
      'after=1e3',
      'denied=',
      'fault=A%20B',
      'after=1&after=2',
      'more=1',
    ])
      assert.deepEqual(await code(poll(query)), [400, 'malformed'], query);
    assert.deepEqual(await code(broker.call('GET', '/v1/policies/status')), [401, 'token_missing']);
    const registrar = broker.call('GET', '/v1/policies/status', undefined, site.registrar.shop);
    assert.deepEqual(await code(registrar), [403, 'vault_denied']);
  });

  it('are published by one of two who do so at once; the other is told, and nothing of it is seen', async () => {
    const both = await Promise.allSettled([
      publish(author, [document('one')], { now: now() }),
      publish(author, [document('two')], { now: now() }),
    ]);
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    const failed = both.find((each) => each.status === 'rejected') as PromiseRejectedResult;
    assert.equal((failed.reason as SignetError).code, 'PUBLISHED_MEANWHILE');
    assert.equal((await published(author))?.manifest.version, 2);
  });

  it('that were half written when their author died are seen by nobody, and stand in nobody’s way', async () => {
    for (const dies of ['sets', 'current', 'revision'] as const) {
      const before = (await published(author))!.manifest.version;
      const dying: VaultCaller = {
        call(method, path, body, options) {
          if (method === 'POST' && path.includes(dies)) throw new Error('died');
          return author.call(method, path, body, options);
        },
      };
      const work = publish(dying, [document('half')], { now: now() });
      await assert.rejects(work, /died/);
      const after = (await published(author))!.manifest.version;
      // without the revision it is published all the same, and brokers find it at their next reload or publication
      assert.equal(after - before, dies === 'revision' ? 1 : 0, dies);
    }
    const { version } = await publish(author, [document('whole')], { now: now() });
    assert.deepEqual(
      verified(await poll('after=0')).documents.map(({ name }) => name),
      ['whole'],
    );
    assert.equal((await status()).published.version, version);
  });

  it('can be gone back to while they are among the last twenty; older ones are deleted', async () => {
    const first = (await publish(author, [document('v0')], { now: now() })).version;
    for (let i = 1; i <= 20; i++) await publish(author, [document(`v${i}`)], { now: now() });
    await assert.rejects(rollback(author, first, { now: now() }), { code: 'NO_SUCH_VERSION' });
    const { manifest, from } = await rollback(author, first + 2, { now: now(), above: 1_000 });
    assert.deepEqual(
      [manifest.version, manifest.previousVersion, from, manifest.documents.map(({ name }) => name)],
      [1_001, first + 20, first + 2, ['v2']],
    );
    const { body } = await site.vault.request('GET', 'signet/metadata/policies/sets?list=true');
    assert.equal(body.data.keys.length, 20);
  });

  it('may be ten thousand', async () => {
    const many = Array.from({ length: MOST_DOCUMENTS }, (_, i) =>
      document(`rule-${i}-é😀`, `${ORDERS}${i % 100 === 0 ? '' : `-${i}`}`),
    );
    const { version } = await publish(author, many, { now: now() });
    const reply = await poll(`after=${version - 1}`);
    assert.equal(verified(reply).documents.length, 100);
    await assert.rejects(publish(author, [...many, document('one more')], { now: now() }), {
      code: 'TOO_MUCH',
    });
    await publish(author, [], { now: now() });
    assert.equal(verified(await poll(`after=${version}`)).documents.length, 0);
  });

  it('cannot be made by a broker, a registrar or an operator, nor a certificate by an author', async () => {
    const denied = (work: Promise<unknown>) =>
      assert.rejects(work, (error) => error instanceof SignetError && error.code === 'VAULT_DENIED');
    for (const policy of [
      'signet-broker',
      'signet-registrar-acme.shop',
      'signet-operator',
      'signet-viewer',
    ]) {
      const other = callerOf(vault, new Secret(await site.tokenOf(policy)));
      await denied(publish(other, [document('a')], { now: now() }));
      await denied(other.call('POST', 'signet/data/policies/current', { data: {}, options: { cas: 99 } }));
      await denied(other.call('POST', 'signet-pki/sign/policy', {}));
      await denied(other.call('POST', 'signet-transit/keys/policy/set-certificate', {}));
    }
    await denied(changeDenylist(author, (there) => there, now()));
    for (const path of ['signet-pki/sign/policy', 'signet-pki/sign/workload', 'signet-pki/sign/broker'])
      await denied(author.call('POST', path, {}));
    await denied(author.call('POST', 'signet-transit/keys/policy/csr', {}));
    await denied(author.call('POST', 'signet-transit/keys/policy/set-certificate', {}));
    await denied(author.call('POST', 'signet/data/entries/acme.shop/x', {}));
  });

  it('stay good when the key’s certificate is renewed', async () => {
    const { version } = await publish(author, [document('a')], { now: now() });
    const before = (await poll('after=0')).body.policies;
    const { csr } = (await site.vault.request('POST', 'signet-transit/keys/policy/csr', {})).body.data;
    const body = { csr, uri_sans: 'spiffe://example.org/signet/policy' };
    const signed = (await site.vault.request('POST', 'signet-pki/sign/policy', body)).body.data;
    const chain = [signed.certificate, ...signed.ca_chain].join('\n');
    await site.vault.request('POST', 'signet-transit/keys/policy/set-certificate', {
      certificate_chain: chain,
    });
    await touchRevision(site);
    await until(async () => (await poll('after=0')).body.policies.chain[0] !== before.chain[0]);
    const reply = await poll('after=0');
    assert.equal(reply.body.policies.signature, before.signature);
    assert.equal(verified(reply).manifest.version, version);
  });

  it('of a deny-list: one written by hand is the brokers’ alone, until it is signed', async () => {
    const sealed = async () => (await poll('denied=0')).body.denylist;
    const { version } = await changeDenylist(operator, () => ({ ids: [`${ORDERS}-9`], serials: [] }), now());
    await until(async () => JSON.parse((await sealed()).text).version === version);
    await writeDenylist(site, { ids: [`${ORDERS}-8`], serials: ['3A-0F'] });
    const token = await site.tokenOf('signet-viewer');
    await until(
      async () => (await broker.call('GET', '/v1/policies/status', undefined, token)).body.denylist === null,
    );
    const list = await changeDenylist(
      operator,
      (there) => ({ ...there, ids: [...there.ids, `${ORDERS}-7`] }),
      now(),
    );
    assert.ok(list.version > version);
    assert.deepEqual([list.ids, list.serials], [[`${ORDERS}-7`, `${ORDERS}-8`], ['3a:0f']]);
    await until(async () => (await sealed()) !== undefined);
    const { text, signature, chain } = await sealed();
    const authorities = pemToDer(site.ca);
    const bundle = { trustDomain: 'example.org', sequence: 0, refreshHintSeconds: 0, authorities };
    const chainDer = chain.map((der: string) => Buffer.from(der, 'base64'));
    const read = verifyDenylist({ text, signature, chainDer }, { bundle, now: now() }, 0);
    assert.equal(read.version, list.version);
  });

  it('that cannot be read keep no deny-list back, and what was read before is handed out on', async () => {
    const { body } = await site.vault.request('GET', 'signet/data/policies/current');
    const { data, metadata } = body.data;
    const write = (value: object, cas: number) =>
      site.vault.request('POST', 'signet/data/policies/current', { data: value, options: { cas } });
    await write({ sets: 'none' }, metadata.version);
    await changeDenylist(operator, (there) => ({ ...there, serials: ['0b:0c'] }), now());
    const reply = await poll('after=0');
    assert.equal(reply.status, 200);
    assert.match(reply.body.denylist.text, /0b:0c/);
    assert.ok(reply.body.policies.documents.length > 0);
    await broker.waitForEvent('policies_unavailable');
    await write(data, metadata.version + 1);
  });

  it('are withheld from who is denied', async () => {
    await changeDenylist(operator, () => ({ ids: [], serials: [orders.serial] }), now());
    const reply = await poll('after=0');
    assert.deepEqual([reply.status, reply.body.code], [403, 'identity_denied']);
    await changeDenylist(operator, () => ({ ids: [], serials: [] }), now());
    assert.equal((await poll('after=0')).status, 200);
  });

  it('do not hold up the end of a broker: those who wait are sent away', async () => {
    const other = await site.startBroker();
    const { version } = (await published(author))!.manifest;
    const waiting = poll(`after=${version}&denied=999999`, orders, other);
    const token = await site.tokenOf('signet-viewer');
    await until(
      async () =>
        (await other.call('GET', '/v1/policies/status', undefined, token)).body.sidecars.length === 1,
    );
    const began = performance.now();
    assert.equal((await other.stop()).code, 0);
    assert.equal((await waiting).status, 204);
    assert.ok(performance.now() - began < 10_000);
  });
});
