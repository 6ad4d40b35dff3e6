import assert from 'node:assert/strict';
import { afterEach, before, beforeEach, describe, it } from 'mocha';
import { createLog } from '../../../lib/adapter/log.ts';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import type { CredentialHolder } from '../../../sidecar/identity/credentials.ts';
import { openPolicies, type Policies } from '../../../sidecar/policy/index.ts';
import { until } from '../../broker/site.ts';
import { type HostileBroker, startHostileBroker } from '../../fakes/hostile-broker.ts';
import { type Author, createAuthor, type Signed } from '../../support/author.ts';
import { type Authority, clock, credentialsFor, ORDERS, svid, WEB } from '../support.ts';

const STOCK = 'spiffe://example.org/ns/shop/sa/stock';
const PEER = { id: parseSpiffeId(WEB), serial: '0a:0b' };

const document = (name: string, target = ORDERS, when: object = { method: { is: 'GET' } }) => ({
  ...{ name, level: 'application', target, effect: 'allow', mode: 'enforce', when },
});

describe('the feed of a sidecar', () => {
  let authority: Authority;
  let author: Author;
  let broker: HostileBroker;
  let credentials: CredentialHolder;
  let policies: Policies;
  let lines: Record<string, unknown>[];
  let recorded: object[];
  let metrics: ReturnType<typeof createMetrics>;
  before(async () => {
    author = await createAuthor();
    authority = { root: author.ca, issuer: await author.ca.intermediate() };
  });
  beforeEach(async () => {
    broker = await startHostileBroker(author.ca);
    credentials = await credentialsFor(authority, ORDERS);
    lines = [];
    recorded = [];
    metrics = createMetrics();
    policies = (await openPolicies({
      config: {
        trustDomain: 'example.org',
        broker: { url: broker.url, ca: broker.ca },
        mode: 'service',
        inbound: { http: null, tcp: [], anonymous: null },
        policyFile: null,
      },
      ...{ credentials, clock, metrics },
      record: (event) => void recorded.push(event),
      log: createLog({ level: 'info', write: (line) => void lines.push(JSON.parse(line)) }),
    }))!;
    policies.aim(parseSpiffeId(ORDERS));
  });
  afterEach(async () => {
    policies[Symbol.dispose]();
    await broker[Symbol.asyncDispose]();
  });

  /** As an honest broker would hand it out. */
  const honest = (signed: Signed): Signed => ({
    ...signed,
    documents: signed.documents.filter(({ target }) => target === ORDERS),
  });
  const set = (version: number, ...names: string[]) =>
    honest(author.manifest([...names.map((name) => document(name)), document('s', STOCK)], { version }));
  const inForce = (version: number) =>
    until(() => policies.status.version === version && !policies.status.stale, 5_000);
  const names = () => policies.current?.documents.map(({ name }) => name);
  const asks = (query: Record<string, string>) =>
    until(() =>
      broker.polls.some((poll) => Object.entries(query).every(([key, value]) => poll.get(key) === value)),
    );

  it('has nothing, and says so, until something comes', async () => {
    assert.equal(policies.current, null);
    assert.equal(policies.status.stale, true);
    broker.offer({ policies: set(3, 'a', 'b') }, 3);
    await inForce(3);
    assert.deepEqual(names(), ['a', 'b']);
    const policy = policies.status.digest;
    assert.deepEqual(recorded, [{ type: 'policy', version: 3, author: 'anna', policy, documents: 2 }]);
    assert.match(metrics.render(), /^signet_policy_version\{kind="policies"\} 3$/m);
    assert.match(metrics.render(), /^signet_policy_stale 0$/m);
    broker.serve('nothing');
    await asks({ after: '3', denied: '0' });
  });

  it('does not ask without a pause, whatever the broker says', async () => {
    broker.serve('nothing');
    await asks({ after: '0' });
    const [began, polls] = [performance.now(), broker.polls.length];
    await until(() => broker.polls.length >= polls + 4);
    assert.ok(performance.now() - began >= 4 * 200, 'at least a quarter of a second between two');
  });

  describe('finds out, keeps what was in force, and goes on from there, when the broker', () => {
    const good = () => set(5, 'a', 'b');
    const cases: [what: string, code: string, serve: (signed: Signed) => object | Promise<object>][] = [
      [
        'drops a document',
        'manifest_incomplete',
        (s) => ({ policies: { ...s, documents: s.documents.slice(1) } }),
      ],
      [
        'adds a document',
        'document_unlisted',
        (s) => ({
          policies: {
            ...s,
            documents: [...s.documents, { name: 'z', target: ORDERS, text: JSON.stringify(document('z')) }],
          },
        }),
      ],
      [
        'alters a document',
        'document_hash',
        (s) => ({
          policies: {
            ...s,
            documents: s.documents.map((each) => ({ ...each, text: each.text.replace('GET', 'PUT') })),
          },
        }),
      ],
      ['replays an old manifest', 'manifest_rollback', () => ({ policies: set(3, 'old') })],
      ['answers with what is in force already', 'manifest_rollback', () => ({ policies: set(4, 'kept') })],
      [
        'raises the version of an old one',
        'manifest_signature',
        () => {
          const old = set(3, 'old');
          return { policies: { ...old, text: old.text.replace('"version":3', '"version":6') } };
        },
      ],
      [
        'swaps the chain for one of its own',
        'manifest_chain',
        async (s) => ({ policies: { ...s, chainDer: (await createAuthor()).manifest([]).chainDer } }),
      ],
      [
        'signs with a key and a CA of its own',
        'manifest_chain',
        async () => ({
          policies: honest((await createAuthor()).manifest([document('evil')], { version: 9 })),
        }),
      ],
      [
        'signs with its own certificate',
        'manifest_chain',
        async () => {
          const own = await createAuthor({ ca: author.ca, id: 'spiffe://example.org/signet/broker' });
          return { policies: honest(own.manifest([document('evil')], { version: 9 })) };
        },
      ],
      [
        "hands out another trust domain's, though by a key that is trusted",
        'manifest_foreign',
        () => ({
          policies: honest(author.manifest([document('a')], { version: 9, trustDomain: 'example.com' })),
        }),
      ],
      [
        'cuts the manifest short',
        'manifest_signature',
        (s) => ({ policies: { ...s, text: s.text.slice(0, 90) } }),
      ],
      ['answers with what is no answer', 'delivery_malformed', (s) => ({ policies: { ...s, text: 7 } })],
      ['answers with an empty object', 'delivery_malformed', () => ({})],
      [
        'hands out a set with a word that is not known, which its author did sign',
        'policy_refused',
        () => ({
          policies: honest(
            author.manifest([document('a', ORDERS, { moon: { is: 'full' } })], { version: 9 }),
          ),
        }),
      ],
      [
        'hands out a document that is another than the manifest says, which its author did sign',
        'document_hash',
        () => {
          const signed = author.manifest([document('a')], { version: 9 });
          const text = signed.text.replace('"level":"application"', '"level":"root"');
          return { policies: { ...signed, ...author.sign('manifest', text) } };
        },
      ],
      ['does not answer', 'broker_unreachable', () => 'drop' as never],
    ];
    for (const [what, code, serve] of cases) {
      it(`${what}: ${code}`, async () => {
        broker.offer({ policies: set(4, 'kept') }, 4);
        await inForce(4);
        const kept = policies.current;
        broker.serve(await serve(good()));
        await until(() => policies.status.fault === code);
        assert.equal(policies.current, kept);
        assert.deepEqual([policies.status.version, policies.status.stale], [4, true]);
        assert.match(metrics.render(), /^signet_policy_stale 1$/m);
        await until(() => lines.some((line) => line['code'] === code && line['kept_version'] === 4));
        // it says so where the author looks
        await asks({ after: '4', fault: code });
        broker.offer({ policies: good() }, 5);
        await inForce(5);
        assert.deepEqual(names(), ['a', 'b']);
        assert.equal(policies.status.fault, null);
      });
    }
  });

  describe('takes the deny-list', () => {
    it('for callers and servers, and what is wrong with it keeps no policy back', async () => {
      assert.equal(policies.denied(PEER), null);
      broker.offer({ denylist: author.denylist([WEB], [], 2), policies: set(1, 'a') }, 1);
      await inForce(1);
      assert.equal(policies.denied(PEER), 'spiffe_id');
      const forged = { ...author.denylist([WEB], [], 3), text: author.denylist([], [], 3).text };
      broker.serve({ denylist: forged, policies: set(2, 'a') });
      await until(() => policies.status.version === 2);
      await until(() => policies.status.fault === 'denylist_signature');
      assert.equal(policies.denied(PEER), 'spiffe_id');
      broker.serve({ denylist: author.denylist([], [], 1) });
      await until(() => policies.status.fault === 'denylist_rollback');
      assert.equal(policies.denied(PEER), 'spiffe_id');
      broker.serve({ denylist: author.denylist([], [PEER.serial], 3) });
      await until(() => policies.denied(PEER) === 'serial');
      broker.serve({ denylist: author.denylist([], [], 4) });
      await until(() => policies.denied(PEER) === null);
    });
  });

  it('goes on with the next SVID, and begins anew for another workload, never with an older version', async () => {
    broker.offer({ policies: set(4, 'a') }, 4);
    await inForce(4);
    broker.serve('nothing');
    credentials.publish(await svid(authority.issuer, authority.root, ORDERS));
    broker.offer({ policies: set(5, 'b') }, 5);
    await inForce(5);
    policies.aim(parseSpiffeId(STOCK));
    assert.equal(policies.current, null);
    const forStock = (version: number) => {
      const signed = author.manifest([document('s', STOCK)], { version });
      return { policies: signed };
    };
    broker.serve(forStock(4));
    await until(() => policies.status.fault === 'manifest_rollback');
    assert.equal(policies.current, null);
    broker.serve(forStock(5));
    await until(() => policies.current !== null);
    assert.deepEqual(names(), ['s']);
  });

  it('takes no older version however often it is aimed at another workload', async () => {
    broker.offer({ policies: set(4, 'a') }, 4);
    await inForce(4);
    broker.serve('nothing');
    for (const id of [STOCK, ORDERS, STOCK, ORDERS]) policies.aim(parseSpiffeId(id));
    broker.serve({ policies: set(2, 'old') });
    await until(() => policies.status.fault === 'manifest_rollback');
    assert.equal(policies.current, null);
    broker.serve({ policies: set(4, 'a') });
    await until(() => policies.current !== null);
    assert.deepEqual(names(), ['a']);
  });
});
