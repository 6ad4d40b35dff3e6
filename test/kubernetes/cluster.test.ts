import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startChild } from '../../harness/child.ts';
import { type Cluster, startCluster } from '../../harness/kubernetes/cluster.ts';
import { leftovers, restoreMachine } from '../../harness/kubernetes/machine.ts';
import { containerPrograms } from '../../setup/containers.mjs';
import { kubeBinary } from '../../setup/kubernetes.mjs';

const forwarding = '/proc/sys/net/ipv4/ip_forward';

describe('a cluster for tests', function () {
  this.timeout(180_000);
  let cluster: Cluster | undefined;
  let forwarded: string;
  before(async function () {
    if (!kubeBinary() || !containerPrograms() || process.getuid?.() !== 0) return this.skip();
    forwarded = await readFile(forwarding, 'utf8');
    cluster = await startCluster();
  });
  after(() => cluster?.stop());

  it('runs a pod with a native sidecar and a projected token', async () => {
    const { createNamespace, createServiceAccount, kubectl, reviewToken, request, apply } = cluster!;
    await createNamespace('shop');
    await createServiceAccount('shop', 'orders');
    await apply([pod]);
    await kubectl('wait', '-n', 'shop', '--for=condition=Ready', 'pod/orders', '--timeout=60s');
    assert.match(await kubectl('logs', '-n', 'shop', 'orders', '-c', 'app'), /after the sidecar/);
    const token = await kubectl(
      'exec',
      '-n',
      'shop',
      'orders',
      '-c',
      'app',
      '--',
      'cat',
      '/var/run/secrets/signet/token',
    );
    const { user } = await reviewToken(token, 'signet');
    assert.equal(user?.username, 'system:serviceaccount:shop:orders');
    assert.deepEqual(user?.extra?.['authentication.kubernetes.io/node-name'], [cluster!.node]);
    const { body } = await request('GET', '/api/v1/namespaces/shop/pods/orders');
    assert.equal(body.status.initContainerStatuses[0].started, true);
  });

  it('lets pods and the host reach a Service at its address', async () => {
    const { kubectl, apply, request } = cluster!;
    const inPod = (script: string) =>
      kubectl('exec', '-n', 'shop', 'orders', '-c', 'app', '--', 'sh', '-c', script);
    const reached = await inPod(
      'nc -w 5 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT </dev/null && echo reached',
    );
    assert.match(reached, /reached/);

    const metadata = { name: 'orders', namespace: 'shop' };
    const spec = { selector: { app: 'orders' }, ports: [{ port: 80, targetPort: 8080 }] };
    await apply([{ apiVersion: 'v1', kind: 'Service', metadata, spec }]);
    const { body } = await request('GET', '/api/v1/namespaces/shop/services/orders');
    const url = `http://${body.spec.clusterIP}/ready`;
    for (const end = Date.now() + 30_000; ; await sleep(100)) {
      const answer = await fetch(url)
        .then((response) => response.text())
        .catch(String);
      if (answer === 'after the sidecar\n') break;
      if (Date.now() > end) assert.fail(answer);
    }
    const ask = `printf 'GET /ready HTTP/1.0\\r\\n\\r\\n' | nc -w 5 ${body.spec.clusterIP} 80`;
    assert.match(await inPod(ask), /after the sidecar/);
    await kubectl('delete', '-n', 'shop', 'pod', 'orders', '--timeout=60s');
  });

  it('leaves the machine as it was, also of a pod that still runs', async () => {
    const { apply, kubectl, folder, stop } = cluster!;
    await apply([{ ...pod, metadata: { ...pod.metadata, name: 'late' } }]);
    await kubectl('wait', '-n', 'shop', '--for=condition=Ready', 'pod/late', '--timeout=60s');
    cluster = undefined;
    await stop();
    assert.deepEqual(await leftovers(dirname(folder)), []);
    assert.equal(await readFile(forwarding, 'utf8'), forwarded);
  });
});

describe('a cluster whose test was killed', function () {
  this.timeout(180_000);
  before(function () {
    if (!kubeBinary() || !containerPrograms() || process.getuid?.() !== 0) this.skip();
  });

  it('is taken away by the next', async () => {
    const script = `
      const { startCluster } = await import('${new URL('../../harness/kubernetes/cluster.ts', import.meta.url)}');
      const cluster = await startCluster();
      await cluster.apply(JSON.parse(process.env.PODS));
      await cluster.kubectl('wait', '--for=condition=Ready', 'pod/orders', '--timeout=60s');
      console.log(cluster.folder);`;
    const metadata = { name: 'orders', namespace: 'default' };
    const pods = [{ ...pod, metadata, spec: { ...pod.spec, serviceAccountName: 'default' } }];
    const child = await startChild(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, PODS: JSON.stringify(pods) },
    });
    for (const end = Date.now() + 90_000; !child.stdout().includes('\n'); await sleep(100))
      if (Date.now() > end) assert.fail(`no cluster came up:\n${child.stderr()}`);
    const left = dirname(child.stdout().trim());
    await child.kill();
    assert.notDeepEqual(await leftovers(left), []);
    await restoreMachine();
    assert.deepEqual(await leftovers(left), []);
  });
});

const audience = { audience: 'signet', path: 'token', expirationSeconds: 600 };
const shared = { name: 'shared', mountPath: '/shared' };
const run = (script: string) => ['sh', '-c', `trap 'exit 0' TERM; ${script}; while :; do sleep 0.1; done`];

const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'orders', namespace: 'shop', labels: { app: 'orders' } },
  spec: {
    serviceAccountName: 'orders',
    terminationGracePeriodSeconds: 2,
    securityContext: { runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000, runAsNonRoot: true },
    volumes: [
      { name: 'token', projected: { sources: [{ serviceAccountToken: audience }] } },
      { name: 'shared', emptyDir: { medium: 'Memory' } },
    ],
    initContainers: [
      {
        name: 'sidecar',
        image: 'localhost/busybox:1',
        imagePullPolicy: 'Never',
        restartPolicy: 'Always',
        command: run('echo after the sidecar >/shared/ready'),
        startupProbe: { exec: { command: ['test', '-f', '/shared/ready'] }, periodSeconds: 1 },
        volumeMounts: [shared],
      },
    ],
    containers: [
      {
        name: 'app',
        image: 'localhost/busybox:1',
        imagePullPolicy: 'Never',
        command: run('cat /shared/ready; httpd -p 8080 -h /shared'),
        volumeMounts: [shared, { name: 'token', mountPath: '/var/run/secrets/signet' }],
      },
    ],
  },
};
