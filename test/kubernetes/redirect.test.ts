import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { containerPrograms } from '../../setup/containers.mjs';
import { hasImageParts } from '../../setup/image-parts.mjs';
import { kubeBinary } from '../../setup/kubernetes.mjs';
import {
  ASK,
  accounts,
  DNS_BY_TCP,
  namespace,
  pod,
  policy,
  redirected,
  rootly,
  serviceOf,
  serving,
  WEB,
  waiting,
} from './depot.ts';
import { openPodSite, type PodSite } from './pod-site.ts';

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
      ...accounts('depot', 'web', 'stranger', 'root'),
    ]);
    await register('pods', 'shop', 'spiffe://example.org/ns/shop/sa/{k8s:sa}');
    await register('depot', 'depot', 'spiffe://example.org/ns/shop/depot/{k8s:sa}');
    await writeFile(join(site.dir, 'orders.json'), JSON.stringify([policy]));
    await site.signet('policy', 'publish', 'orders.json');
    const inbound = { 'signet/inject': 'true', 'signet/inbound': '8080', 'signet/upstreams': 'none' };
    await cluster.apply([
      pod('shop', 'orders', inbound, serving('127.0.0.1', 8080)),
      pod('shop', 'plain', {}, serving('0.0.0.0', 8080, 9090)),
      ...['orders', 'plain'].map((name) => serviceOf('shop', name)),
      pod('depot', 'web', { ...redirected, 'signet/exclude-ports': '53,9090' }, waiting),
      pod('depot', 'stranger', redirected, waiting),
      rootly(pod('depot', 'root', redirected, waiting)),
    ]);
    await ready('shop', 'orders', 'plain');
    await ready('depot', 'web', 'stranger', 'root');
    plain = (await cluster.request('GET', '/api/v1/namespaces/shop/pods/plain')).body.status.podIP;
    service = (await cluster.request('GET', '/api/v1/namespaces/shop/services/orders')).body.spec.clusterIP;
  });
  after(() => site?.[Symbol.asyncDispose]());

  const register = (name: string, ns: string, id: string) =>
    site.signet(
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

  it('asks DNS by UDP past the redirect, and by TCP where port 53 is excluded', async () => {
    assert.equal((await run('web', DNS_BY_TCP)).trim(), 'answered');
    assert.match(await run('stranger', DNS_BY_TCP), /^HTTP\/1.1 400 /);
  });

  it('passes the redirect as a root that may become the user of the sidecar', async () => {
    const url = `http://${plain}:8080/`;
    assert.equal((await ask('root', url)).status, 503);
    const heard = JSON.parse(await run('root', `process.setuid(65532); ${ASK}`, url));
    assert.deepEqual([heard.status, heard.body.caller], [200, null]);
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

  it('calls nobody while its sidecar is begun anew', async () => {
    const path = '/api/v1/namespaces/depot/pods/stranger';
    const sidecar = async () =>
      (await site.cluster.request('GET', path)).body.status.initContainerStatuses[0];
    for (const pid of processesIn((await sidecar()).containerID)) process.kill(pid, 'SIGKILL');
    const heard: Json[] = [];
    for (const end = Date.now() + 60_000; heard.at(-1)?.status !== 503; ) {
      heard.push(await ask('stranger', `http://${plain}:8080/`));
      if (Date.now() > end) assert.fail(JSON.stringify(heard));
    }
    assert.ok(heard.length > 1, 'it was away for a while');
    for (const each of heard.slice(0, -1)) assert.deepEqual([each.status, each.body], [0, 'ECONNREFUSED']);
    const restarts = '--for=jsonpath={.status.initContainerStatuses[0].restartCount}=1';
    await site.cluster.kubectl('wait', '-n', 'depot', restarts, 'pod/stranger', '--timeout=30s');
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

/** Seen from the host, whose process this is. */
function processesIn(container: string): number[] {
  const id = container.replace(/^.*\/\//, '');
  const within = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(id);
    } catch {
      return false;
    }
  };
  const found = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && within(name));
  assert.ok(found.length > 0);
  return found.map(Number);
}
