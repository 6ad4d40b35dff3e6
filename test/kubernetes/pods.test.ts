import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { containerPrograms } from '../../setup/containers.mjs';
import { hasImageParts } from '../../setup/image-parts.mjs';
import { kubernetesPrograms } from '../../setup/kubernetes.mjs';
import { attestClient } from '../support/attest-client.ts';
import { openPodSite, type PodSite, REPLICAS } from './pod-site.ts';
import {
  callerDeployment,
  jobOf,
  lonePod,
  ordersDeployment,
  ordersPolicy,
  ordersService,
  plainPod,
  serviceAccount,
} from './shop.ts';

const ORDERS = 'spiffe://example.org/ns/shop/sa/orders';
/** So many pods are timed, one after the other. */
const TIMED = 20;

describe('pods with sidecars', function () {
  this.timeout(240_000);
  let site: PodSite;
  before(async function () {
    if (!kubernetesPrograms() || !containerPrograms() || !hasImageParts() || process.getuid?.() !== 0)
      return this.skip();
    site = await openPodSite();
    const { cluster, dir, signet } = site;
    const selectors = ['--selector', 'k8s:cluster=main', '--selector', 'k8s:ns=shop'];
    await signet(
      ...['entry', 'create', '--name', 'acme/shop/pods', '--ttl', '15m', ...selectors],
      ...['--spiffe-id', 'spiffe://example.org/ns/shop/sa/{k8s:sa}'],
    );
    await writeFile(join(dir, 'orders.json'), JSON.stringify(ordersPolicy));
    await signet('policy', 'publish', 'orders.json');
    await cluster.apply([
      ...['orders', 'web', 'thief'].map(serviceAccount),
      ordersService,
      ordersDeployment(),
      ...['web', 'thief'].map(callerDeployment),
    ]);
    for (const name of ['orders', 'web', 'thief']) await rollOut('shop', name);
  });
  after(() => site?.[Symbol.asyncDispose]());

  /** Waits until a Deployment is as it should be. @throws with what its pods say */
  const rollOut = async (namespace: string, name: string) => {
    const { kubectl } = site.cluster;
    const done = kubectl('-n', namespace, 'rollout', 'status', `deployment/${name}`, '--timeout=90s');
    await done.catch(async (error: Error) => {
      const described = await kubectl('-n', namespace, 'describe', 'pods');
      const logs = await kubectl(
        ...['-n', namespace, 'logs', `deployment/${name}`, '-c', 'signet-sidecar', '--tail=20'],
      ).catch(String);
      throw new Error(`${error.message}\n${described}\n${logs}`);
    });
  };
  const node = (place: string, script: string) => site.exec(place, 'node', '-e', script);
  /** Status and body of a call from an app that knows its proxy by the environment alone. */
  const call = async (from: string, url: string, method = 'GET') => {
    const script = `
      const { request } = require('node:http');
      const proxy = new URL(process.env.http_proxy);
      const headers = { host: new URL('${url}').host };
      request({ host: proxy.hostname, port: proxy.port, method: '${method}', path: '${url}', headers }, async (answer) => {
        let body = '';
        for await (const chunk of answer) body += chunk;
        console.log(JSON.stringify({ status: answer.statusCode, body }));
      }).end();`;
    const { status, body } = JSON.parse(await node(`deployment/${from}`, script));
    return { status, body: JSON.parse(body) };
  };
  // biome-ignore lint/suspicious/noExplicitAny: a status document, of which tests read what they expect
  const admin = async (place: string, method: string, path: string): Promise<any> =>
    JSON.parse(
      await node(
        place,
        `fetch('http://127.0.0.1:15000${path}', { method: '${method}' }).then(async (answer) => console.log(await answer.text()))`,
      ),
    );
  /** Of the sidecar's log, where it got its first SVID. */
  const svidLine = async (pod: string): Promise<string> => {
    for (const end = Date.now() + 60_000; Date.now() < end; await sleep(100)) {
      const logs = await site.cluster
        .kubectl('-n', 'shop', 'logs', pod, '-c', 'signet-sidecar')
        .catch(() => '');
      const line = logs.split('\n').find((each) => each.includes('"event":"svid"'));
      if (line !== undefined) return line;
    }
    throw new Error(`${pod} got no SVID`);
  };
  const refusal = async (object: object) => {
    const said = await site.cluster.apply([object]).then(
      () => '',
      (error: Error) => error.message,
    );
    assert.notEqual(said, '', 'it was admitted');
    return said;
  };

  it('each get the sidecar first, under the restricted profile, and the SVID of their service account', async () => {
    const { body } = await site.cluster.request(
      'GET',
      '/api/v1/namespaces/shop/pods?labelSelector=app%3Dorders',
    );
    assert.equal(body.items.length, 2);
    for (const { spec, metadata } of body.items) {
      assert.equal(spec.initContainers[0].name, 'signet-sidecar');
      assert.equal(spec.initContainers[0].restartPolicy, 'Always');
      assert.equal(metadata.labels['signet/injected'], 'true');
    }
    for (const app of ['orders', 'web', 'thief']) {
      const { identity, ready } = await admin(`deployment/${app}`, 'GET', '/status');
      assert.equal(identity.spiffe_id, `spiffe://example.org/ns/shop/sa/${app}`);
      assert.equal(ready, true);
    }
  });

  it('call each other by the names of Services, and the app is told who calls', async () => {
    assert.deepEqual(await call('web', 'http://orders.shop/orders/42'), {
      status: 200,
      body: { method: 'GET', url: '/orders/42', caller: 'spiffe://example.org/ns/shop/sa/web' },
    });
    for (const name of ['orders', 'orders.shop.svc', 'orders.shop.svc.cluster.local'])
      assert.equal((await call('web', `http://${name}/`)).status, 200, name);
  });

  it('are refused what no policy allows, and another service account is refused all of it', async () => {
    const deleted = await call('web', 'http://orders.shop/orders/42', 'DELETE');
    assert.equal(deleted.status, 403);
    assert.equal(deleted.body.code, 'no_rule');
    assert.match(deleted.body.detail, /no policy allows DELETE \/orders\/42 for .+\/sa\/web$/);
    const stolen = await call('thief', 'http://orders.shop/orders/42');
    assert.equal(stolen.status, 403);
    assert.match(stolen.body.detail, /no policy allows GET \/orders\/42 for .+\/sa\/thief$/);
  });

  it('prove themselves to the broker by a token that is worth nothing once the pod is gone', async () => {
    const { cluster, ca, env } = site;
    await cluster.apply([lonePod('short-lived')]);
    await cluster.kubectl('wait', '-n', 'shop', '--for=condition=Ready', 'pod/short-lived', '--timeout=60s');
    const token = await cluster.requestToken('shop', 'orders', { audience: 'signet', pod: 'short-lived' });
    const address = new URL(String(env['SIGNET_BROKER_URL'])).host;
    const shown = async () => {
      using client = await attestClient({ address: `${address}:443`, ca });
      return await client.attest('kubernetes', () => ({ token }));
    };
    assert.equal((await shown()).body.spiffe_id, ORDERS);
    await cluster.kubectl('delete', '-n', 'shop', 'pod', 'short-lived', '--grace-period=0', '--force');
    const { status, body } = await shown();
    assert.deepEqual([status, body.code], [403, 'attestation_refused']);
  });

  it('renew no more once their entry is disabled, and go on while their SVID lasts', async () => {
    await site.signet('entry', 'disable', 'acme/shop/pods');
    try {
      const outcome = await admin('deployment/web', 'POST', '/rotate');
      assert.match(JSON.stringify(outcome), /entry_disabled/);
      const { identity } = await admin('deployment/web', 'GET', '/status');
      assert.equal(identity.last_failure.reason, 'entry_disabled');
      assert.equal((await call('web', 'http://orders.shop/')).status, 200);
    } finally {
      await site.signet('entry', 'enable', 'acme/shop/pods');
    }
    const serial = async () => (await admin('deployment/web', 'GET', '/status')).identity.serial;
    const before = await serial();
    await admin('deployment/web', 'POST', '/rotate');
    assert.notEqual(await serial(), before);
  });

  it('end with their main container, as Jobs', async () => {
    await site.cluster.apply([jobOf('once')]);
    await site.cluster.kubectl('wait', '-n', 'shop', '--for=condition=Complete', 'job/once', '--timeout=60s');
  });

  it('are begun with an SVID in little time', async () => {
    const { cluster } = site;
    const [toSvid, ofSidecar]: [number[], number[]] = [[], []];
    for (let i = 0; i < TIMED; i += 1) {
      const name = `timed-${i}`;
      const began = Date.now();
      await cluster.apply([lonePod(name)]);
      const line = await svidLine(name);
      const { time, ms_since_start } = JSON.parse(line);
      toSvid.push(Date.parse(time) - began);
      ofSidecar.push(ms_since_start);
      await cluster.kubectl(
        '-n',
        'shop',
        'delete',
        'pod',
        name,
        '--wait=false',
        '--grace-period=0',
        '--force',
      );
    }
    console.log(`      first SVID after the pod's creation: ${percentiles(toSvid)}`);
    console.log(`      first SVID after the sidecar's start: ${percentiles(ofSidecar)}`);
    assert.equal(toSvid.length, TIMED);
  });

  it('are not admitted while no broker answers, those that ask for nothing are, and what runs goes on', async () => {
    const { cluster } = site;
    const scale = (replicas: number) =>
      cluster.kubectl('-n', 'signet', 'scale', 'deployment/signet-broker', `--replicas=${replicas}`);
    await scale(0);
    try {
      const brokers = [
        '-n',
        'signet',
        'get',
        'pods',
        '-l',
        'app.kubernetes.io/name=signet-broker',
        '-o',
        'name',
      ];
      for (const end = Date.now() + 60_000; (await cluster.kubectl(...brokers)) !== ''; await sleep(200))
        assert.ok(Date.now() < end, 'brokers are still there');
      assert.match(await refusal(lonePod('unlucky')), /failed calling webhook "inject\.admission\.signet"/);
      await cluster.apply([plainPod('plain')]);
      assert.equal((await call('web', 'http://orders.shop/')).status, 200);
    } finally {
      await scale(REPLICAS);
    }
    await rollOut('signet', 'signet-broker');
    await cluster.apply([lonePod('unlucky')]);
  });
});

function percentiles(all: readonly number[]): string {
  const sorted = all.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms over ${all.length} pods`;
}
