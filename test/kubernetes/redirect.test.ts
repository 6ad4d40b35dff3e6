import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { runProcess } from '../../harness/processes.ts';
import { containerPrograms } from '../../setup/containers.mjs';
import { hasImageParts } from '../../setup/image-parts.mjs';
import { kubeBinary } from '../../setup/kubernetes.mjs';
import { openPodSite, type PodSite } from './pod-site.ts';

const ORDERS = 'spiffe://example.org/ns/shop/sa/orders';
const WEB = 'spiffe://example.org/ns/shop/depot/web';

describe('a pod whose calls are redirected', function () {
  this.timeout(240_000);
  let site: PodSite;
  /** Of a pod without a sidecar. */
  let plain: string;
  let service: string;

  before(async function () {
    const missing = !kubeBinary() || !containerPrograms() || !hasImageParts() || process.getuid?.() !== 0;
    if (missing && process.env['CI'] !== 'true') return this.skip();
    site = await openPodSite();
    const { cluster } = site;
    await cluster.apply([
      namespace('depot', 'privileged', { 'signet/allow': 'redirect exclude-ports' }),
      namespace('closed', 'privileged'),
      namespace('narrow', 'baseline', { 'signet/allow': 'redirect' }),
      ...accounts('shop', 'orders', 'plain'),
      ...accounts('depot', 'web', 'stranger'),
    ]);
    await register('pods', 'shop', 'spiffe://example.org/ns/shop/sa/{k8s:sa}');
    await register('depot', 'depot', 'spiffe://example.org/ns/shop/depot/{k8s:sa}');
    await writeFile(join(site.dir, 'orders.json'), JSON.stringify([policy]));
    await signet('policy', 'publish', 'orders.json');
    const inbound = { 'signet/inject': 'true', 'signet/inbound': '8080', 'signet/upstreams': 'none' };
    await cluster.apply([
      pod('shop', 'orders', inbound, serving('127.0.0.1', 8080)),
      pod('shop', 'plain', {}, serving('0.0.0.0', 8080, 9090)),
      ...['orders', 'plain'].map((name) => serviceOf('shop', name)),
      pod('depot', 'web', { ...redirected, 'signet/exclude-ports': '9090,9091' }, waiting),
      pod('depot', 'stranger', redirected, waiting),
    ]);
    await ready('shop', 'orders', 'plain');
    await ready('depot', 'web', 'stranger');
    plain = (await cluster.request('GET', '/api/v1/namespaces/shop/pods/plain')).body.status.podIP;
    service = (await cluster.request('GET', '/api/v1/namespaces/shop/services/orders')).body.spec.clusterIP;
  });
  after(() => site?.[Symbol.asyncDispose]());

  const signet = async (...args: string[]) => {
    const env = { ...site.env, SIGNET_BROKER_URL: `https://${site.env['SIGNET_TEST_BROKER_IP']}` };
    const { code, stdout, stderr } = await runProcess({ args, env, cwd: site.dir });
    assert.equal(code, 0, `signet ${args.join(' ')}: ${stdout}${stderr}`);
  };
  const register = (name: string, ns: string, id: string) =>
    signet(
      ...['entry', 'create', '--name', `acme/shop/${name}`, '--spiffe-id', id, '--ttl', '15m'],
      ...['--selector', 'k8s:cluster=main', '--selector', `k8s:ns=${ns}`],
    );
  const ready = async (ns: string, ...names: string[]) => {
    const { kubectl } = site.cluster;
    const pods = names.map((name) => `pod/${name}`);
    await kubectl('wait', '-n', ns, '--for=condition=Ready', ...pods, '--timeout=90s').catch(
      async (error) => {
        const told = names.flatMap((name) => [
          kubectl('describe', '-n', ns, 'pod', name),
          kubectl('logs', '-n', ns, name, '--all-containers', '--tail=30'),
        ]);
        assert.fail(
          [String(error), ...(await Promise.all(told.map((each) => each.catch(String))))].join('\n'),
        );
      },
    );
  };
  const run = (name: string, script: string, ...args: string[]) =>
    site.cluster.kubectl('exec', '-n', 'depot', name, '-c', 'app', '--', 'node', '-e', script, ...args);
  /** What the app of a pod hears from a URL: it knows of no proxy. */
  const ask = async (name: string, url: string): Promise<{ status: number; body: Json }> =>
    JSON.parse(await run(name, ASK, url));

  it('calls a Service by its name, over mTLS, and the app knows nothing of it', async () => {
    for (const host of ['orders.shop', 'orders.shop.svc.cluster.local']) {
      const { status, body } = await ask('web', `http://${host}/orders/42`);
      assert.equal(status, 200, JSON.stringify(body));
      assert.deepEqual([body.caller, body.host], [WEB, host]);
    }
  });

  it('calls it by its cluster IP', async () => {
    const { status, body } = await ask('web', `http://${service}/orders/42`);
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.caller, WEB);
  });

  it('is denied what no policy allows: another account, another method', async () => {
    const { status } = await ask('stranger', 'http://orders.shop/orders/42');
    assert.equal(status, 403);
    assert.equal((await ask('web', 'http://orders.shop/secrets')).status, 403);
  });

  it('reaches nothing that has no sidecar', async () => {
    const named = await ask('web', 'http://plain.shop/');
    assert.deepEqual(
      [named.status, named.body.code, named.body.reason],
      [404, 'unknown_upstream', 'not_injected'],
    );
    const addressed = await ask('web', `http://${plain}:8080/`);
    assert.deepEqual([addressed.status, addressed.body.code], [503, 'unknown_destination']);
    assert.ok(addressed.body.detail.includes(`none is at ${plain}:8080`), addressed.body.detail);
    // the API server, by TLS
    assert.match((await ask('web', 'https://kubernetes.default/version')).body, /^ERR_SSL|^EPROTO|^ECONN/);
  });

  it('reaches excluded ports by itself', async () => {
    const { status, body } = await ask('web', `http://${plain}:9090/`);
    assert.deepEqual([status, body.caller], [200, null]);
    assert.equal((await ask('stranger', `http://${plain}:9090/`)).status, 503);
  });

  it('has its rules from a container that is over, and none of its own may change them', async () => {
    const { body } = await site.cluster.request('GET', '/api/v1/namespaces/depot/pods/web');
    const [sidecar, redirect] = body.status.initContainerStatuses;
    assert.deepEqual([sidecar.name, sidecar.ready], ['signet-sidecar', true]);
    assert.deepEqual([redirect.name, redirect.state.terminated.exitCode], ['signet-redirect', 0]);
    const logs = await site.cluster.kubectl('logs', '-n', 'depot', 'web', '-c', 'signet-sidecar');
    assert.doesNotMatch(logs, /original_destination_unavailable/);
    const status = await run('web', `console.log(require('fs').readFileSync('/proc/self/status', 'utf8'))`);
    assert.match(status, /^CapEff:\t0+$/m);
  });

  it('ends with its app, where a Job made it', async () => {
    const { cluster } = site;
    const script = `fetch('http://orders.shop/orders/42').then(async (r) => {
      console.log(r.status, await r.text()); process.exitCode = r.status === 200 ? 0 : 1; })`;
    const annotations = { ...redirected };
    const { metadata, spec } = pod('depot', 'web', annotations, script);
    const template = {
      metadata: { annotations: metadata.annotations },
      spec: { ...spec, restartPolicy: 'Never' },
    };
    await cluster.apply([
      {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'count', namespace: 'depot' },
        spec: { backoffLimit: 0, template },
      },
    ]);
    await cluster.kubectl('wait', '-n', 'depot', '--for=condition=Complete', 'job/count', '--timeout=60s');
    const selector = `labelSelector=${encodeURIComponent('job-name=count')}`;
    const { body } = await cluster.request('GET', `/api/v1/namespaces/depot/pods?${selector}`);
    const [{ status }] = body.items;
    assert.equal(status.phase, 'Succeeded');
    const [sidecar] = status.initContainerStatuses;
    assert.equal(sidecar.state.terminated.exitCode, 0);
    assert.ok(sidecar.state.terminated.finishedAt >= status.containerStatuses[0].state.terminated.finishedAt);
  });

  for (const [ns, why] of [
    [
      'closed',
      /signet\/redirect is not allowed in the namespace closed: its annotation signet\/allow lacks redirect/,
    ],
    ['narrow', /violates PodSecurity "baseline:latest": .*signet-redirect.*NET_ADMIN/],
  ] as const)
    it(`is not let into a namespace that does not take it: ${ns}`, async () => {
      await site.cluster.createServiceAccount(ns, 'web');
      await assert.rejects(site.cluster.apply([pod(ns, 'web', redirected, waiting)]), why);
    });
});

// biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects to find
type Json = any;

const redirected = { 'signet/inject': 'true', 'signet/upstreams': 'services', 'signet/redirect': 'true' };

const policy = {
  ...{ name: 'web-reads', level: 'application', target: ORDERS, effect: 'allow', mode: 'enforce' },
  when: { all: [{ caller: { is: WEB } }, { method: { is: 'GET' } }, { path: { like: '/orders/{id}' } }] },
};

const ASK = `fetch(process.argv[1]).then(
  async (r) => ({ status: r.status, body: JSON.parse(await r.text() || 'null') }),
  (e) => ({ status: 0, body: e.cause?.code ?? String(e) }),
).then((heard) => console.log(JSON.stringify(heard)))`;

const waiting = `process.on('SIGTERM', () => process.exit()); setInterval(() => {}, 1e6)`;

/** Tells who its sidecar says calls. */
function serving(address: string, ...ports: number[]): string {
  return `process.on('SIGTERM', () => process.exit());
    for (const port of ${JSON.stringify(ports)}) require('http').createServer((q, r) => {
      r.setHeader('content-type', 'application/json');
      r.end(JSON.stringify({ caller: q.headers['x-signet-caller'] ?? null, host: q.headers.host }));
    }).listen(port, '${address}')`;
}

function namespace(name: string, enforce: string, annotations = {}) {
  const labels = { 'signet/inject': 'enabled', 'pod-security.kubernetes.io/enforce': enforce };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels, annotations } };
}

function accounts(namespace: string, ...names: string[]) {
  return names.map((name) => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } }));
}

function serviceOf(namespace: string, name: string) {
  const spec = { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec };
}

function pod(namespace: string, name: string, annotations: Readonly<Record<string, string>>, script: string) {
  const confined = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
  const app = { name: 'app', image: 'localhost/node:1', imagePullPolicy: 'Never', securityContext: confined };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { app: name }, annotations },
    spec: {
      serviceAccountName: name,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 5,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [{ ...app, command: ['node', '-e', script] }],
    },
  };
}
