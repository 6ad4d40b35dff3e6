import assert from 'node:assert/strict';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { type ApiServer, startApiServer } from '../../harness/kubernetes/api-server.ts';
import { type LoggingProcess, startProcess } from '../../harness/processes.ts';
import { openSite, type Site, type TestBroker, until } from '../broker/site.ts';
import type { Reply } from '../support/attest-client.ts';
import { forgeToken } from './forge.ts';
import { openPods, type Pods } from './pods.ts';

const ID = 'spiffe://example.org/ns/shop/sa/app';

describe('clusters', function () {
  this.timeout(120_000);
  let site: Site;
  let one: ApiServer;
  let two: ApiServer;
  let ones: Pods;
  let twos: Pods;
  let viewer: string;
  before(async () => {
    [one, two, site] = await Promise.all([startApiServer(), startApiServer(), openSite()]);
    [ones, twos] = [await openPods(one.kubeconfig), await openPods(two.kubeconfig)];
    for (const pods of [ones, twos]) {
      await pods.namespace('shop', 'app');
      await pods.node('node-a');
    }
    viewer = await site.tokenOf('signet-viewer');
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    for (const pods of [ones, twos]) pods?.[Symbol.dispose]();
    for (const server of [one, two]) await server?.stop();
  });

  let made = 0;
  const aPod = (pods: Pods) => pods.pod('shop', `p${++made}`, { node: 'node-a' });
  const register = (broker: TestBroker, name: string, match: object, more: object = {}): Promise<Reply> => {
    const entry = { tenant: 'acme/shop', name, match, ttl: '15m', spiffe_id: ID, ...more };
    return broker.call('POST', '/v1/entries', entry, site.registrar.shop);
  };
  const remove = (broker: TestBroker, name: string) =>
    broker.call('DELETE', `/v1/entries/acme.shop/${name}`, undefined, site.registrar.shop);
  const show = async (broker: TestBroker, token: string, cluster?: string): Promise<Reply> => {
    using client = await broker.connect();
    return await client.attest('kubernetes', () => ({
      token,
      ...(cluster === undefined ? {} : { cluster }),
    }));
  };
  const explain = async (broker: TestBroker, { body }: Reply) =>
    (await broker.call('GET', `/v1/explanations/${body.correlation_id}`, undefined, viewer)).body;
  const expectRefused = async (broker: TestBroker, reply: Reply, code: string) => {
    assert.deepEqual(
      [reply.status, reply.body.code],
      [403, 'attestation_refused'],
      JSON.stringify(reply.body),
    );
    const { reason } = await explain(broker, reply);
    assert.equal(String(reason).split(':')[0], code, reason);
  };

  describe('of which there is one', () => {
    let broker: TestBroker;
    let running: LoggingProcess[];
    before(async () => {
      running = [];
      broker = await site.startBroker({ SIGNET_KUBERNETES: `main=kubeconfig:${one.kubeconfig}` });
      assert.equal((await register(broker, 'app', { 'k8s:ns': 'shop', 'k8s:sa': 'app' })).status, 201);
      await writeFile(join(site.dir, 'root.pem'), site.ca);
    });
    after(async () => {
      for (const each of running) await each.stop();
      await remove(broker, 'app');
      await broker.stop();
    });
    const sidecar = async (attest: string): Promise<LoggingProcess> => {
      const started = await startProcess({
        args: ['sidecar'],
        env: {
          SIGNET_TRUST_DOMAIN: 'example.org',
          SIGNET_BROKER_URL: `https://${broker.address}`,
          SIGNET_BROKER_CA: join(site.dir, 'root.pem'),
          SIGNET_ATTEST: attest,
          SIGNET_MODE: 'agent',
        },
      });
      running.push(started);
      return started;
    };
    /** As the kubelet does. */
    const put = async (file: string, token: string) => {
      await writeFile(`${file}.new`, token);
      await rename(`${file}.new`, file);
    };

    it('a sidecar gets the ID of its pod, renews with the token that is there then, and not when the pod is gone', async () => {
      const pod = await aPod(ones);
      const file = join(site.dir, 'token');
      await put(file, await ones.token(pod));
      const process = await sidecar(`kubernetes:${file}`);
      const { spiffe_id: id } = await process.waitForEvent('svid');
      assert.equal(id, ID);
      const later = await ones.token(pod);
      await put(file, later);
      const renewed = process.nextEvent('svid');
      process.send('SIGHUP');
      await renewed;
      await ones.remove(pod);
      const failed = process.nextEvent('renewal_failed');
      process.send('SIGHUP');
      const { code, reason } = await failed;
      assert.deepEqual([code, reason], ['BROKER_REFUSED', 'attestation_refused']);
      for (const each of [process, broker])
        assert.ok(!`${each.stdout()}${each.stderr()}`.includes(later.split('.')[2]!));
    });

    it('a sidecar waits for a token that is not there yet', async () => {
      const file = join(site.dir, 'late-token');
      const process = await sidecar(`kubernetes:${file}@main`);
      assert.equal((await process.waitForEvent('renewal_failed'))['code'], 'EVIDENCE_UNAVAILABLE');
      await put(file, await ones.token(await aPod(ones)));
      assert.equal((await process.waitForEvent('svid', undefined, 30_000))['spiffe_id'], ID);
    });

    it('without its API server nobody is believed, and a sidecar tries until it is back', async () => {
      const pod = await aPod(ones);
      const token = await ones.token(pod);
      assert.equal((await show(broker, token)).status, 201);
      await one.halt();
      let process: LoggingProcess;
      try {
        const reply = await show(broker, token);
        assert.deepEqual([reply.status, reply.body.code], [503, 'cluster_unavailable']);
        assert.equal(reply.headers['retry-after'], '2');
        assert.match((await explain(broker, reply)).reason, /^main: POST .*ECONNREFUSED/);
        const file = join(site.dir, 'patient-token');
        await put(file, token);
        process = await sidecar(`kubernetes:${file}`);
        const { code, reason } = await process.waitForEvent('renewal_failed');
        assert.deepEqual([code, reason], ['BROKER_UNAVAILABLE', 'cluster_unavailable']);
      } finally {
        await one.resume();
      }
      await process.waitForEvent('svid', undefined, 60_000);
    });

    it('whose API server does not accept the broker is as if it were away', async () => {
      const file = await one.kubeconfigWith(await ones.looseToken('shop', 'app'));
      const stranger = await site.startBroker({ SIGNET_KUBERNETES: `main=kubeconfig:${file}` });
      try {
        const reply = await show(stranger, await ones.token(await aPod(ones)));
        assert.deepEqual([reply.status, reply.body.code], [503, 'cluster_unavailable']);
        assert.match((await explain(stranger, reply)).reason, /denies it to our credential/);
      } finally {
        await stranger.stop();
      }
    });

    it('has no say in where a pod connects from, unless it is asked to', async () => {
      const strict = await site.startBroker({
        SIGNET_KUBERNETES: `main=kubeconfig:${one.kubeconfig}`,
        SIGNET_KUBERNETES_SOURCE: 'pod',
      });
      try {
        const pod = await aPod(ones);
        const token = await ones.token(pod);
        const early = await show(strict, token);
        assert.deepEqual([early.status, early.body.code], [503, 'cluster_unavailable']);
        await ones.report(pod, { podIP: '10.1.2.3', podIPs: [{ ip: '10.1.2.3' }] });
        await expectRefused(strict, await show(strict, token), 'POD_ELSEWHERE');
        assert.equal((await show(broker, token)).status, 201);
        const here = await aPod(ones);
        await ones.report(here, { podIP: '127.0.0.1', podIPs: [{ ip: '127.0.0.1' }, { ip: '::1' }] });
        assert.equal((await show(strict, await ones.token(here))).status, 201);
      } finally {
        await strict.stop();
      }
    });

    for (const [what, match, more, says] of [
      ['labels alone', { 'k8s:label:app': 'orders' }, {}, /settles neither k8s:ns nor k8s:uid/],
      ['a service account alone', { 'k8s:sa': 'app' }, {}, /settles neither/],
      ['a node alone', { 'k8s:node': 'node-a' }, {}, /settles neither/],
      ['an image alone', { 'k8s:image': `sha256:${'0'.repeat(64)}` }, {}, /settles neither/],
      ['an image by its tag', { 'k8s:ns': 'shop', 'k8s:image': 'orders:1' }, {}, /is not a digest/],
      [
        'an annotation that is not listed',
        { 'k8s:ns': 'shop', 'k8s:annotation:x': 'y' },
        {},
        /SIGNET_KUBERNETES_ANNOTATIONS/,
      ],
      [
        'what is no selector',
        { 'k8s:ns': 'shop', 'k8s:namespace': 'shop' },
        {},
        /is not a selector of Kubernetes/,
      ],
      ['another word for offline', { 'k8s:ns': 'shop', 'k8s:verified': 'maybe' }, {}, /is review or offline/],
    ] as const)
      it(`an entry that matches by ${what} is refused`, async () => {
        const reply = await register(broker, 'bad', match, more);
        assert.deepEqual([reply.status, reply.body.code], [400, 'malformed'], JSON.stringify(reply.body));
        assert.match(reply.body.errors.map((each: { message: string }) => each.message).join(), says);
      });
  });

  describe('of which there are several', () => {
    let broker: TestBroker;
    let keysFile: string;
    before(async () => {
      keysFile = join(site.dir, 'keys.json');
      const jwks = await ones.api.get<object>('/openid/v1/jwks');
      await writeFile(keysFile, JSON.stringify({ issuer: one.issuer, ...jwks }));
      const [first, second] = [
        await one.kubeconfigWith(await ones.brokerToken()),
        await two.kubeconfigWith(await twos.brokerToken()),
      ];
      broker = await site.startBroker({
        SIGNET_KUBERNETES: `one=kubeconfig:${first}\n two=kubeconfig:${second}`,
      });
    });
    after(async () => void (await broker?.stop()));

    it('an entry says of which it speaks, or each has an ID of its own', async () => {
      const reply = await register(broker, 'any', { 'k8s:ns': 'shop' });
      assert.deepEqual([reply.status, reply.body.code], [400, 'malformed']);
      assert.match(reply.body.errors[0].message, /settles no k8s:cluster/);
      // whoever administers the other cluster can answer with any UID
      const byUid = await register(broker, 'uid', { 'k8s:uid': (await aPod(ones)).uid });
      assert.deepEqual([byUid.status, byUid.body.code], [400, 'malformed'], JSON.stringify(byUid.body));
      assert.match(byUid.body.errors[0].message, /settles no k8s:cluster/);
      const own = { spiffe_id: 'spiffe://example.org/ns/shop/cluster/{k8s:cluster}' };
      assert.equal((await register(broker, 'each', { 'k8s:ns': 'shop' }, own)).status, 201);
      assert.equal((await remove(broker, 'each')).status, 204);
    });

    it('a token is asked about where it comes from, and nowhere else', async () => {
      await register(broker, 'of-one', { 'k8s:ns': 'shop', 'k8s:cluster': 'one' });
      const [first, second] = [await ones.token(await aPod(ones)), await twos.token(await aPod(twos))];
      assert.equal((await show(broker, first)).status, 201);
      assert.equal((await show(broker, first, 'one')).status, 201);
      await expectRefused(broker, await show(broker, first, 'two'), 'TOKEN_FOREIGN');
      const other = await show(broker, second);
      assert.deepEqual([other.status, other.body.code], [403, 'no_entry']);
      assert.deepEqual((await explain(broker, other)).selectors['k8s:cluster'], ['two']);
      await expectRefused(broker, await show(broker, second, 'one'), 'TOKEN_FOREIGN');
      const lost = forgeToken(first, undefined, (claims) => ({ ...claims, iss: 'https://elsewhere' }));
      await expectRefused(broker, await show(broker, lost), 'CLUSTER_UNCLEAR');
      const posing = forgeToken(first, undefined, (claims) => ({ ...claims, iss: two.issuer }));
      await expectRefused(broker, await show(broker, posing), 'TOKEN_FOREIGN');
      await remove(broker, 'of-one');
    });

    it('one that is away does not keep the others away', async () => {
      await register(broker, 'of-two', { 'k8s:ns': 'shop', 'k8s:cluster': 'two' });
      const token = await twos.token(await aPod(twos));
      await one.halt();
      try {
        assert.equal((await show(broker, token, 'two')).status, 201);
      } finally {
        await one.resume();
      }
      await remove(broker, 'of-two');
    });

    describe('and one of them offline', () => {
      let aside: TestBroker;
      let saKey: string;
      before(async () => {
        saKey = await readFile(one.pki.tokenKeyFile, 'utf8');
        aside = await site.startBroker({
          SIGNET_KUBERNETES: `off=offline:${keysFile} one=kubeconfig:${one.kubeconfig}`,
        });
        const match = { 'k8s:ns': 'shop', 'k8s:cluster': 'off', 'k8s:verified': 'offline' };
        assert.equal((await register(aside, 'offline', match)).status, 201);
      });
      after(async () => {
        await remove(aside, 'offline');
        await aside?.stop();
      });

      it('a token says what it says, and goes on saying it when the pod is gone', async () => {
        const pod = await aPod(ones);
        const token = await ones.token(pod);
        await ones.remove(pod);
        const reply = await show(aside, token, 'off');
        assert.equal(reply.status, 201, JSON.stringify(reply.body));
        assert.deepEqual((await explain(aside, reply)).selectors, {
          'k8s:cluster': ['off'],
          'k8s:verified': ['offline'],
          'k8s:ns': ['shop'],
          'k8s:sa': ['app'],
          'k8s:pod': [pod.name],
          'k8s:uid': [pod.uid],
          'k8s:node': ['node-a'],
        });
      });
      it('a token whose issuer two clusters share has to name its cluster', async () => {
        await expectRefused(aside, await show(aside, await ones.token(await aPod(ones))), 'CLUSTER_UNCLEAR');
      });
      for (const [what, change, code] of [
        ['has run out', { exp: 1_700_000_600, iat: 1_700_000_000, nbf: 1_700_000_000 }, 'TOKEN_EXPIRED'],
        ['is for another audience', { aud: ['vault'] }, 'TOKEN_AUDIENCE'],
        ['is of another issuer', { iss: 'https://elsewhere' }, 'TOKEN_FOREIGN'],
        [
          'is of the days to come',
          { nbf: 4_000_000_000, iat: 4_000_000_000, exp: 4_000_000_600 },
          'TOKEN_EARLY',
        ],
        ['is of no service account', { sub: 'admin' }, 'TOKEN_ACCOUNT'],
        ['is bound to nothing', { 'kubernetes.io': { namespace: 'shop' } }, 'TOKEN_NO_POD'],
        ['never ends', { exp: undefined }, 'TOKEN_FOREIGN'],
      ] as const)
        it(`a token is refused that ${what}`, async () => {
          const token = forgeToken(await ones.token(await aPod(ones)), saKey, (claims) => ({
            ...claims,
            ...change,
          }));
          await expectRefused(aside, await show(aside, token, 'off'), code);
        });
      it('a token is refused that another cluster signed', async () => {
        await expectRefused(
          aside,
          await show(aside, await twos.token(await aPod(twos)), 'off'),
          'TOKEN_FOREIGN',
        );
      });
      it('new keys are taken from the file when it is another', async () => {
        const token = await twos.token(await aPod(twos));
        const kept = await readFile(keysFile, 'utf8');
        const jwks = await twos.api.get<object>('/openid/v1/jwks');
        await writeFile(keysFile, JSON.stringify({ issuer: two.issuer, ...jwks }));
        await until(async () => (await show(aside, token, 'off')).status === 201);
        await writeFile(keysFile, kept);
      });
    });
  });
});
