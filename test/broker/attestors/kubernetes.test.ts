import assert from 'node:assert/strict';
import fc from 'fast-check';
import { after, before, describe, it } from 'mocha';
import { AttestationError, type AttestContext, type Attestor } from '../../../broker/attestors/index.ts';
import { type Pod, podSelectors } from '../../../broker/attestors/kubernetes-selectors.ts';
import { kubernetes, openClusters } from '../../../broker/clusters.ts';
import { Problem } from '../../../broker/problem.ts';
import { type FakeApiServer, startFakeApiServer } from '../../fakes/api-server.ts';
import { silentLog } from '../../support/silent-log.ts';

const DIGEST = (digit: string) => `sha256:${digit.repeat(64)}`;
const NOW = new Date('2026-11-25T12:00:00Z');

describe("a pod's selectors", () => {
  const pod: Pod = {
    metadata: {
      name: 'orders-0',
      namespace: 'shop',
      uid: 'u-1',
      labels: { app: 'orders', empty: '' },
      annotations: { a: '1', b: '2' },
    },
    spec: {
      nodeName: 'node-a',
      serviceAccountName: 'orders',
      containers: [
        { name: 'app', image: 'orders:1' },
        { name: 'pinned', image: `orders@${DIGEST('1')}` },
        { name: 'tagged', image: 'orders:2' },
      ],
    },
    status: {
      containerStatuses: [
        { name: 'app', imageID: `registry.example.org/orders@${DIGEST('2')}` },
        { name: 'tagged', imageID: '' },
      ],
    },
  };
  it('are what the API server knows of it', () => {
    assert.deepEqual(Object.fromEntries(podSelectors('main', pod, ['b', 'c'])), {
      'k8s:cluster': ['main'],
      'k8s:verified': ['review'],
      'k8s:ns': ['shop'],
      'k8s:sa': ['orders'],
      'k8s:pod': ['orders-0'],
      'k8s:uid': ['u-1'],
      'k8s:node': ['node-a'],
      'k8s:image': [DIGEST('2'), DIGEST('1')],
      'k8s:label:app': ['orders'],
      'k8s:annotation:b': ['2'],
    });
  });
  it('leave out what no entry can want', () => {
    const labels = { [`${'x'.repeat(200)}/y`]: 'z', 'odd name': 'z', long: 'z'.repeat(600) };
    const found = podSelectors('main', { metadata: { labels } });
    assert.deepEqual([...found.keys()], ['k8s:cluster', 'k8s:verified']);
  });
  it('come of anything that is said to be a pod', () => {
    const json = fc.jsonValue({ maxDepth: 3 });
    const odd = fc.record({
      metadata: fc.oneof(json, fc.record({ labels: json, annotations: json, uid: json })),
      spec: fc.oneof(json, fc.record({ containers: json, nodeName: json })),
      status: fc.oneof(json, fc.record({ containerStatuses: json })),
    });
    fc.assert(
      fc.property(odd, (anything) => {
        for (const [key, values] of podSelectors('main', anything as Pod, ['a', '__proto__'])) {
          assert.match(key, /^k8s:/);
          assert.ok(values.every((value) => typeof value === 'string' && value !== ''));
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('the attestor of pods, of an API server that answers oddly', () => {
  let server: FakeApiServer;
  let attestor: Attestor;
  let close: () => void;
  before(async () => {
    server = await startFakeApiServer();
    const file = await server.kubeconfig({ token: 'reviewer' });
    const clusters = await openClusters([{ name: 'main', kind: 'kubeconfig', file }]);
    close = () => clusters[Symbol.dispose]();
    attestor = kubernetes({ clusters, annotations: [], source: 'any', log: silentLog });
  });
  after(async () => {
    close();
    await server[Symbol.asyncDispose]();
  });

  const context = { now: NOW, address: '127.0.0.1', correlationId: 'c' } as AttestContext;
  const tokenOf = (claims: unknown) => `${encoded({ alg: 'RS256' })}.${encoded(claims)}.c2lnbmF0dXJl`;
  const good = { aud: ['signet'], exp: NOW.getTime() / 1000 + 600 };
  const verify = (claims: unknown = good) => attestor.verify({ token: tokenOf(claims) }, context);
  const extra = (pod: unknown, uid: unknown, node: unknown) => ({
    'authentication.kubernetes.io/pod-name': pod,
    'authentication.kubernetes.io/pod-uid': uid,
    'authentication.kubernetes.io/node-name': node,
  });
  const user = { username: 'system:serviceaccount:shop:app', extra: extra(['p'], ['u'], ['n']) };
  const status = { authenticated: true, audiences: ['signet'], user };
  const pod = {
    metadata: { uid: 'u', name: 'p', namespace: 'shop' },
    spec: { serviceAccountName: 'app', nodeName: 'n' },
  };
  const answers = (review: unknown, found: unknown = pod) =>
    server.answer(
      ({ url }, response) =>
        void response.end(JSON.stringify(url.includes('tokenreviews') ? { status: review } : found)),
    );

  it('believes the answers of a sound one', async () => {
    answers(status);
    assert.deepEqual((await verify()).selectors.get('k8s:sa'), ['app']);
    const asked = server.asked.at(-2);
    assert.deepEqual(JSON.parse(asked?.body ?? ''), {
      spec: { token: tokenOf(good), audiences: ['signet'] },
    });
    assert.equal(server.asked.at(-1)?.url, '/api/v1/namespaces/shop/pods/p');
  });
  for (const [what, review, code] of [
    ['that knows of no audiences', { ...status, audiences: undefined }, 'TOKEN_AUDIENCE'],
    ['that means another audience', { ...status, audiences: ['other'] }, 'TOKEN_AUDIENCE'],
    ['that says yes only almost', { ...status, authenticated: 'true' }, 'TOKEN_FOREIGN'],
    ['that says nothing', {}, 'TOKEN_FOREIGN'],
    ['of a user', { ...status, user: { ...user, username: 'system:node:n' } }, 'TOKEN_ACCOUNT'],
    [
      'of an account below another',
      { ...status, user: { ...user, username: 'system:serviceaccount:a:b:c' } },
      'TOKEN_ACCOUNT',
    ],
    [
      'of a path for a namespace',
      { ...status, user: { ...user, username: 'system:serviceaccount:../x:app' } },
      'TOKEN_ACCOUNT',
    ],
    ['of two pods', { ...status, user: { ...user, extra: extra(['p', 'q'], ['u'], ['n']) } }, 'TOKEN_NO_POD'],
    [
      'of a path for a pod',
      { ...status, user: { ...user, extra: extra(['../q'], ['u'], ['n']) } },
      'TOKEN_NO_POD',
    ],
    [
      'without a UID',
      { ...status, user: { ...user, extra: extra(['p'], undefined, ['n']) } },
      'TOKEN_NO_POD',
    ],
    [
      'without a node',
      { ...status, user: { ...user, extra: extra(['p'], ['u'], undefined) } },
      'TOKEN_NO_NODE',
    ],
  ] as const)
    it(`refuses a review ${what}`, async () => {
      answers(review);
      await assert.rejects(verify(), (error) => {
        assert.ok(error instanceof AttestationError, String(error));
        assert.equal(error.code, code);
        assert.match(error.message, new RegExp(`^${code}: `));
        return true;
      });
    });
  it('refuses a pod that is not the one', async () => {
    answers(status, {});
    await assert.rejects(verify(), { code: 'POD_REPLACED' });
    answers(status, { ...pod, metadata: { ...pod.metadata, deletionTimestamp: 'never' } });
    await assert.rejects(verify(), { code: 'POD_OVERDUE' });
  });
  for (const code of [401, 403, 409, 429, 500])
    it(`says that the cluster is away when it answers ${code}`, async () => {
      server.answerJson(code, {});
      await assert.rejects(
        verify(),
        (error) => error instanceof Problem && error.code === 'cluster_unavailable',
      );
    });
  it('says so of a pod that cannot be looked at, whatever the review said', async () => {
    server.answer(({ url }, response) => {
      if (url.includes('tokenreviews')) response.end(JSON.stringify({ status }));
      else response.writeHead(500).end('{}');
    });
    await assert.rejects(
      verify(),
      (error) => error instanceof Problem && error.code === 'cluster_unavailable',
    );
  });
  it('keeps no more under way than one cluster may have', async () => {
    const held: (() => void)[] = [];
    server.answer((_asked, response) => void held.push(() => response.end(JSON.stringify({ status: {} }))));
    const calls = Array.from({ length: 80 }, () => verify().catch((error: unknown) => error));
    const early = await Promise.race(calls);
    assert.ok(early instanceof Problem && early.code === 'overloaded', String(early));
    while (held.length < 64) await new Promise((resolve) => setImmediate(resolve));
    for (const release of held) release();
    const outcomes = await Promise.all(calls);
    assert.equal(outcomes.filter((each) => each instanceof Problem).length, 16);
  });
  it('refuses whatever else a token is made of, and asks nobody about what is none', async () => {
    answers({});
    const claims = fc.jsonValue({ maxDepth: 3 });
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(claims, fc.record({ aud: claims, exp: claims, iss: claims })),
        async (any) => {
          await assert.rejects(verify(any), AttestationError);
        },
      ),
      { numRuns: 150 },
    );
    const before = server.asked.length;
    await fc.assert(
      fc.asyncProperty(fc.stringMatching(/^[\w-]{1,40}\.[\w-]{1,40}\.[\w-]{1,40}$/), async (token) => {
        await assert.rejects(attestor.verify({ token }, context), { code: 'EVIDENCE_INVALID' });
      }),
      { numRuns: 500 },
    );
    assert.equal(server.asked.length, before);
  });
});

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
