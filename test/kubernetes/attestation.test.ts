import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'mocha';
import { type ApiServer, startApiServer } from '../../harness/kubernetes/api-server.ts';
import { openSite, type Site, type TestBroker, until } from '../broker/site.ts';
import { type Reply, spendGrant } from '../support/attest-client.ts';
import { forgeToken } from './forge.ts';
import { type MadePod, openPods, type Pods } from './pods.ts';

const DIGEST = `sha256:${'5'.repeat(64)}`;

describe('attestation of a pod by its token', function () {
  this.timeout(120_000);
  let site: Site;
  let broker: TestBroker;
  let server: ApiServer;
  let pods: Pods;
  /** PEM: what the API server itself signs with. */
  let saKey: string;
  let viewer: string;
  before(async () => {
    server = await startApiServer();
    saKey = await readFile(server.pki.tokenKeyFile, 'utf8');
    pods = await openPods(server.kubeconfig);
    await pods.namespace('shop', 'app', 'other');
    await pods.node('node-a');
    await pods.node('node-b');
    site = await openSite();
    viewer = await site.tokenOf('signet-viewer');
    broker = await site.startBroker({
      SIGNET_KUBERNETES: `main=kubeconfig:${await server.kubeconfigWith(await pods.brokerToken())}`,
      SIGNET_KUBERNETES_ANNOTATIONS: 'example.org/tier',
    });
    await register('app', { 'k8s:ns': 'shop', 'k8s:sa': 'app' });
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    pods?.[Symbol.dispose]();
    await server?.stop();
  });

  const register = async (name: string, match: object, more: object = {}): Promise<Reply> => {
    const entry = { tenant: 'acme/shop', name, match, ttl: '15m', ...more };
    const id = { spiffe_id: 'spiffe://example.org/ns/shop/sa/{k8s:sa}' };
    return await broker.call('POST', '/v1/entries', { ...id, ...entry }, site.registrar.shop);
  };
  const show = async (token: string, more: object = {}): Promise<Reply> => {
    using client = await broker.connect();
    return await client.attest('kubernetes', () => ({ token, ...more }));
  };
  const explain = async ({ body }: Reply) =>
    (await broker.call('GET', `/v1/explanations/${body.correlation_id}`, undefined, viewer)).body;
  /** The caller learns that it is refused; why is for those who may read the explanation. */
  const expectRefused = async (reply: Reply, code: string) => {
    assert.deepEqual(
      [reply.status, reply.body.code],
      [403, 'attestation_refused'],
      JSON.stringify(reply.body),
    );
    assert.equal(reply.body.detail, undefined);
    const { reason } = await explain(reply);
    assert.equal(String(reason).split(':')[0], code, reason);
  };
  let made = 0;
  const aPod = async (options: Parameters<Pods['pod']>[2] = {}): Promise<MadePod> =>
    await pods.pod('shop', `p${++made}`, { node: 'node-a', ...options });

  it('gives a pod the ID of its namespace and service account, and Vault signs that', async () => {
    const pod = await aPod({
      labels: { app: 'orders', 'app.kubernetes.io/name': 'Orders' },
      annotations: { 'example.org/tier': 'gold', 'example.org/other': 'x' },
      image: `registry.example.org/orders@${DIGEST}`,
    });
    const reply = await show(await pods.token(pod));
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
    assert.equal(reply.body.spiffe_id, 'spiffe://example.org/ns/shop/sa/app');
    assert.equal(reply.body.instance.generation, 0);
    const svid = await spendGrant(site.vault.request, reply.body);
    assert.equal(new X509Certificate(svid.cert).subjectAltName, 'URI:spiffe://example.org/ns/shop/sa/app');
    assert.deepEqual((await explain(reply)).selectors, {
      'k8s:cluster': ['main'],
      'k8s:verified': ['review'],
      'k8s:ns': ['shop'],
      'k8s:sa': ['app'],
      'k8s:pod': [pod.name],
      'k8s:uid': [pod.uid],
      'k8s:node': ['node-a'],
      'k8s:image': [DIGEST],
      'k8s:label:app': ['orders'],
      'k8s:label:app.kubernetes.io/name': ['Orders'],
      'k8s:annotation:example.org/tier': ['gold'],
    });
  });

  describe('refuses', () => {
    it('a token for another audience', async () => {
      await expectRefused(
        await show(await pods.token(await aPod(), { audience: 'vault' })),
        'TOKEN_AUDIENCE',
      );
    });
    it('a token that has run out, of which the API server would still say yes for a minute', async () => {
      const pod = await aPod();
      const token = forgeToken(await pods.token(pod), saKey, (claims) => ({
        ...claims,
        exp: claims.iat - 5,
        iat: claims.iat - 700,
      }));
      await expectRefused(await show(token), 'TOKEN_EXPIRED');
    });
    it('a token that ran out long ago', async () => {
      const token = forgeToken(await pods.token(await aPod()), saKey, (claims) => ({
        ...claims,
        exp: claims.iat - 3600,
        iat: claims.iat - 7200,
        nbf: claims.nbf - 7200,
      }));
      await expectRefused(await show(token), 'TOKEN_EXPIRED');
    });
    it('a token that another signed', async () => {
      await expectRefused(
        await show(forgeToken(await pods.token(await aPod()), undefined, (claims) => claims)),
        'TOKEN_FOREIGN',
      );
    });
    it('a token of another issuer', async () => {
      const token = forgeToken(await pods.token(await aPod()), saKey, (claims) => ({
        ...claims,
        iss: 'https://elsewhere',
      }));
      await expectRefused(await show(token), 'TOKEN_FOREIGN');
    });
    it('a token that is bound to no pod', async () => {
      await expectRefused(await show(await pods.looseToken('shop', 'app')), 'TOKEN_NO_POD');
    });
    it('a token that was issued before its pod had a node', async () => {
      const pod = await pods.pod('shop', 'homeless');
      await expectRefused(await show(await pods.token(pod)), 'TOKEN_NO_NODE');
    });
    it('a pod that is deleted, while the API server still says yes to its token', async () => {
      const pod = await aPod();
      const token = await pods.token(pod);
      assert.equal((await show(token)).status, 201);
      await pods.remove(pod);
      await expectRefused(await show(token), 'POD_GONE');
      await until(
        async () => (await explain(await show(token))).reason.startsWith('TOKEN_INVALIDATED'),
        30_000,
      );
    });
    it('a pod that another has replaced under its name', async () => {
      const pod = await aPod();
      const token = await pods.token(pod);
      assert.equal((await show(token)).status, 201);
      await pods.remove(pod);
      await pods.pod('shop', pod.name, { node: 'node-a' });
      await expectRefused(await show(token), 'POD_REPLACED');
    });
    for (const phase of ['Succeeded', 'Failed'])
      it(`a pod that has ${phase.toLowerCase()}`, async () => {
        const pod = await aPod();
        await pods.report(pod, { phase });
        await expectRefused(await show(await pods.token(pod)), 'POD_FINISHED');
      });
    it('a pod that is on another node than its token', async () => {
      const token = forgeToken(await pods.token(await aPod()), saKey, (claims) => {
        const bound = { ...claims['kubernetes.io'], node: { name: 'node-b' } };
        return { ...claims, 'kubernetes.io': bound };
      });
      await expectRefused(await show(token), 'POD_MOVED');
    });
    it('a pod of another service account than its token', async () => {
      const [pod, other] = [await aPod(), await aPod({ account: 'other' })];
      const bound = JSON.parse(Buffer.from((await pods.token(pod)).split('.')[1]!, 'base64url').toString())[
        'kubernetes.io'
      ];
      const token = forgeToken(await pods.token(other), saKey, (claims) => ({
        ...claims,
        'kubernetes.io': { ...claims['kubernetes.io'], pod: bound.pod },
      }));
      await expectRefused(await show(token), 'POD_ACCOUNT');
    });
    it('a cluster that it does not know', async () => {
      await expectRefused(
        await show(await pods.token(await aPod()), { cluster: 'elsewhere' }),
        'CLUSTER_UNKNOWN',
      );
    });
    it('a value that cannot stand in an ID', async () => {
      const entry = await register(
        'by-label',
        { 'k8s:ns': 'shop', 'k8s:sa': 'app', 'k8s:label:odd': 'UPPER' },
        { spiffe_id: 'spiffe://example.org/ns/shop/odd/{k8s:label:case}' },
      );
      assert.equal(entry.status, 201, JSON.stringify(entry.body));
      const pod = await aPod({ labels: { odd: 'UPPER', case: 'Mixed' } });
      const reply = await show(await pods.token(pod));
      assert.deepEqual([reply.status, reply.body.code], [403, 'attestation_refused']);
      assert.match((await explain(reply)).reason, /cannot stand in a SPIFFE ID/);
    });
    for (const [what, evidence] of [
      ['nothing', {}],
      ['no text', { token: 7 }],
      ['no token', { token: 'hello' }],
      ['too long a token', { token: `a.b.${'c'.repeat(20_000)}` }],
      ['no name of a cluster', { token: 'a.b.c', cluster: '../x' }],
      ['more than asked for', { token: 'a.b.c', node: 'node-a' }],
    ] as const)
      it(`evidence that is ${what}`, async () => {
        using client = await broker.connect();
        const reply = await client.attest('kubernetes', () => evidence);
        assert.deepEqual([reply.status, reply.body.code], [400, 'malformed']);
      });
    it('what only looks like a token', async () => {
      const reply = await show('abc.def.ghi');
      assert.deepEqual([reply.status, reply.body.code], [403, 'attestation_refused']);
    });
  });

  it('lets a pod renew until its grace period is over, and not afterwards', async () => {
    const pod = await aPod({ finalizers: ['example.org/kept'] });
    const token = await pods.token(pod);
    await pods.remove(pod, 4);
    assert.equal((await show(token)).status, 201);
    await broker.waitForEvent('pod_terminating');
    await until(async () => (await show(token)).status !== 201);
    await expectRefused(await show(token), 'POD_OVERDUE');
  });

  it('never logs a token', async () => {
    const token = await pods.token(await aPod());
    await show(token);
    await show(`${token}x`);
    for (const part of token.split('.')) assert.ok(!`${broker.stdout()}${broker.stderr()}`.includes(part));
  });
});
