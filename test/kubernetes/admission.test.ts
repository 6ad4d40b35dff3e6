import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import type { PodOptions } from '../../harness/kubernetes/objects.ts';
import { until } from '../broker/site.ts';
import { RULES } from './admission-objects.ts';
import { type AdmissionStage, appSpec, createAdmissionStage, ordersEntry } from './admission-stage.ts';

const ASK = { 'signet/inject': 'true', 'signet/inbound': '8080', 'signet/upstreams': 'services' };

describe('the webhooks of a broker, asked by a real API server', function () {
  this.timeout(120_000);
  let stage: AdmissionStage;
  before(async () => {
    stage = await createAdmissionStage();
    const { broker, site } = stage;
    const made = await broker.call('POST', '/v1/entries', ordersEntry, site.registrar.shop);
    assert.equal(made.status, 201, JSON.stringify(made.body));
    await stage.createNamespace('shop');
    await stage.server.createServiceAccount('shop', 'orders');
    await until(async () => (await stage.caBundles()).every((pem) => pem === `${site.ca.trim()}\n`));
  });
  after(() => stage?.[Symbol.asyncDispose]());

  let pods = 0;
  const create = (more: Partial<PodOptions> = {}) =>
    stage.server.createPod({
      ...{ namespace: 'shop', name: `orders-${(pods += 1)}`, serviceAccount: 'orders' },
      ...{ annotations: ASK, spec: appSpec() },
      ...more,
    });
  const refused = (more: Partial<PodOptions>, why: RegExp) => assert.rejects(create(more), why);

  it('give a pod its sidecar, which the restricted profile lets in', async () => {
    const pod = await create({ spec: appSpec({ initContainers: [] }) });
    const [sidecar] = pod.spec.initContainers;
    assert.deepEqual([sidecar.name, sidecar.restartPolicy], ['signet-sidecar', 'Always']);
    assert.equal(pod.metadata.labels['signet/injected'], 'true');
    assert.equal(pod.metadata.annotations['signet/broker-ca'].trim(), stage.site.ca.trim());
    const mounts = sidecar.volumeMounts.map(({ name }: { name: string }) => name);
    assert.deepEqual(
      mounts,
      ['signet-token', 'signet-trust', 'signet-nothing'],
      'and no token for the API server',
    );
  });

  it('leave a pod that asks for nothing as it is', async () => {
    const { spec, metadata } = await create({ annotations: {} });
    assert.deepEqual([spec.initContainers, metadata.labels], [undefined, undefined]);
  });

  it('agree with what the cluster itself adds: defaults of a LimitRange, other webhooks of the chain', async () => {
    await stage.createNamespace('bounded');
    const limits = [
      { type: 'Container', default: { cpu: '1', memory: '1Gi' }, max: { cpu: '2', memory: '2Gi' } },
    ];
    await stage.server.apply([
      {
        apiVersion: 'v1',
        kind: 'LimitRange',
        metadata: { name: 'limits', namespace: 'bounded' },
        spec: { limits },
      },
    ]);
    const pod = await create({ namespace: 'bounded', serviceAccount: 'default' });
    assert.equal(pod.spec.initContainers[0].resources.limits.cpu, '1');
  });

  it('refuse what the namespace does not allow, and let in what it does', async () => {
    const redirect = { ...ASK, 'signet/redirect': 'true', 'signet/exclude-ports': '5432' };
    await refused(
      { annotations: redirect },
      /signet\/redirect is not allowed in the namespace shop.*exclude-ports/,
    );
    await stage.createNamespace('open', { 'signet/allow': 'redirect exclude-ports' }, {});
    const pod = await create({ namespace: 'open', serviceAccount: 'default', annotations: redirect });
    assert.deepEqual(
      pod.spec.initContainers.map(({ name }: { name: string }) => name),
      ['signet-sidecar', 'signet-redirect'],
    );
    await stage.createNamespace('strict', { 'signet/allow': 'redirect exclude-ports' });
    await assert.rejects(
      create({ namespace: 'strict', serviceAccount: 'default', annotations: redirect }),
      /violates PodSecurity/,
      'the profile has its own word',
    );
  });

  it('refuse an identity that no entry gives', async () => {
    const identity = (name: string) => ({
      ...ASK,
      'signet/identity': `spiffe://example.org/ns/shop/sa/${name}`,
    });
    await create({ annotations: identity('orders') });
    await refused({ annotations: identity('payments') }, /signet\/identity: no registration entry/);
    await refused({ annotations: identity('orders'), serviceAccount: 'default' }, /signet\/identity/);
  });

  it('refuse a bad annotation, and the network of the node', async () => {
    await refused(
      { annotations: { ...ASK, 'signet/inbound': 'x' } },
      /signet: signet\/inbound is not a port/,
    );
    await stage.createNamespace('free', {}, {});
    await refused(
      { namespace: 'free', serviceAccount: 'default', spec: appSpec({ hostNetwork: true }) },
      /spec\.hostNetwork/,
    );
  });

  it('refuse a pod that only looks injected', async () => {
    const token = { serviceAccountToken: { audience: 'signet', path: 'token' } };
    await refused(
      { annotations: {}, labels: { 'signet/injected': 'true' } },
      /label signet\/injected is the injector's/,
    );
    await refused({ annotations: { 'signet/status': '{}' } }, /annotation signet\/status/);
    await refused(
      { annotations: {}, spec: appSpec({ volumes: [{ name: 't', projected: { sources: [token] } }] }) },
      /lacks token/,
    );
  });

  it('keep a pod as it was injected', async () => {
    const { metadata } = await create();
    const at = `/api/v1/namespaces/shop/pods/${metadata.name}`;
    const change = async (body: object) => {
      const answer = await stage.server.request('PATCH', at, body);
      return [answer.status, answer.body.message ?? ''] as const;
    };
    const cases: [object, number, RegExp][] = [
      [{ metadata: { annotations: { 'signet/broker-ca': 'x' } } }, 403, /delete the pod and create it anew/],
      [{ metadata: { labels: { 'signet/injected': null } } }, 403, /label signet\/injected/],
      [{ metadata: { labels: { team: 'a' } } }, 200, /^$/],
    ];
    for (const [body, status, message] of cases) {
      const [was, said] = await change(body);
      assert.equal(was, status, said);
      assert.match(said, message);
    }
    const image = [{ op: 'replace', path: '/spec/initContainers/0/image', value: 'evil:1' }];
    await assert.rejects(
      stage.server.kubectl(
        'patch',
        'pod',
        metadata.name,
        '-n',
        'shop',
        '--type=json',
        '-p',
        JSON.stringify(image),
      ),
      /injector's containers cannot be changed/,
    );
    const { containers } = appSpec() as { containers: object[] };
    const added = {
      ...containers[0],
      name: 'debug',
      volumeMounts: [{ name: 'signet-token', mountPath: '/t' }],
    };
    const debug = { ephemeralContainers: [added] };
    const args = [
      '-n',
      'shop',
      '--subresource=ephemeralcontainers',
      '--type=strategic',
      '-p',
      JSON.stringify({ spec: debug }),
    ];
    await assert.rejects(
      stage.server.kubectl('patch', 'pod', metadata.name, ...args),
      /mounts a volume of the injector/,
    );
  });

  it('take a review of up to 3 MiB that is one, and nothing else', async () => {
    const { broker } = stage;
    const review = (request: object) => ({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request: { uid: 'u', operation: 'CREATE', kind: { group: '', version: 'v1', kind: 'Pod' }, ...request },
    });
    const ask = async (body: unknown, query = '') => broker.call('POST', `/admission/mutate${query}`, body);
    const padded = (bytes: number) =>
      review({ namespace: 'shop', object: { metadata: { x: 'x'.repeat(bytes) } } });
    const good = await ask(padded(3_000_000), '?timeout=5s');
    assert.deepEqual([good.status, good.body.response], [200, { uid: 'u', allowed: true }]);
    assert.equal((await ask(padded(3_200_000))).status, 413);
    for (const body of [
      {},
      [],
      review({ uid: '' }),
      review({ operation: 'X' }),
      { ...review({}), kind: 'Pod' },
    ])
      assert.equal((await ask(body)).status, 400, JSON.stringify(body));
    assert.equal((await ask(review({}), '?timeout=never')).status, 400);
    assert.equal((await ask(review({ object: null, namespace: 'shop' }))).status, 200);
    const secret = { group: '', version: 'v1', kind: 'Secret' };
    const other = await ask(review({ kind: secret, object: { metadata: { annotations: ASK } } }));
    assert.deepEqual(other.body.response, { uid: 'u', allowed: true }, 'what is no pod');
  });

  it('go on while the CA is changed: old and new are both in, and then the new alone', async () => {
    const { vault } = stage.site;
    const made = await vault.request('POST', 'signet-pki/issuers/generate/root/internal', {
      common_name: 'example.org second',
      uri_sans: 'spiffe://example.org',
      key_type: 'ec',
      ttl: '2400h',
    });
    const second = made.body.data.issuer_id;
    const certificates = async () => (await stage.caBundles()).map((pem) => pem.match(/BEGIN/g)?.length ?? 0);
    const other = await stage.startBroker({ SIGNET_RELOAD: '1s' });
    await until(async () => (await certificates()).every((count) => count === 2));
    assert.ok((await stage.caBundles()).every((pem) => pem.includes(stage.site.ca.trim())));
    // the one broker writes, the other (which looks every 30 s) does not take it back
    const { metadata } = await create();
    assert.match(metadata.annotations['signet/broker-ca'], /BEGIN/);
    await vault.request('POST', 'signet-pki/config/issuers', { default: second });
    for (const issuer of (await vault.request('LIST', 'signet-pki/issuers')).body.data.keys)
      if (issuer !== second) await vault.request('DELETE', `signet-pki/issuer/${issuer}`);
    await until(async () => (await certificates()).every((count) => count === 1));
    await other.stop();
    const fresh = await stage.startBroker();
    await stage.pointTo(fresh);
    await until(async () => (await stage.caBundles()).every((pem) => /BEGIN/.test(pem)));
    const pod = await create();
    assert.equal(pod.metadata.annotations['signet/broker-ca'], (await stage.caBundles())[0]);
    await stage.broker.stop();
    await fresh.stop();
  });

  it('away, keep pods out of namespaces that have opted in, and out of no other', async () => {
    await refused({}, /failed calling webhook \S*mutate\.admission\.signet.*connection refused/);
    await refused({ annotations: {} }, /failed calling webhook/);
    await stage.server.createNamespace('other');
    await create({ namespace: 'other', serviceAccount: 'default' });
  });

  it('needed no more than the rules that are told', async () => {
    const user = 'system:serviceaccount:signet:signet-broker';
    const events = (await stage.server.audit()).filter((event) => event.user === user);
    const used = new Set(events.map(({ group, resource, verb }) => `${group} ${resource} ${verb}`));
    const told = RULES.flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((each) => verbs.map((verb) => `${group} ${each} ${verb}`)),
      ),
    );
    assert.deepEqual([...used].sort(), told.sort());
    assert.deepEqual(
      events.filter(({ status }) => status === 403),
      [],
    );
  });
});
