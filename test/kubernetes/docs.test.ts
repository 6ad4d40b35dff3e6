import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dump, loadAll } from 'js-yaml';
import { after, before, describe, it } from 'mocha';
import { requireContainers } from '../../harness/kubernetes/containerd.ts';
import { programImage } from '../../harness/kubernetes/images.ts';
import { freePort } from '../../harness/port.ts';
import { which } from '../../setup/commands.mjs';
import { containerPrograms } from '../../setup/containers.mjs';
import { kubeBinary } from '../../setup/kubernetes.mjs';
import { root } from '../../setup/paths.mjs';
import { until } from '../broker/site.ts';
import { type DocShell, openDocShell } from './doc-shell.ts';
import { openPodSite, type PodSite, REPLICAS } from './pod-site.ts';

const read = (name: string) => readFile(join(root, 'docs', name), 'utf8');
const blocksOf = (text: string, kind = 'sh') =>
  Array.from(
    text.matchAll(new RegExp(`^\`\`\`${kind}.*\\n([\\s\\S]*?)^\`\`\`$`, 'gm')),
    ([, block]) => block!,
  );

const IDLE = `trap 'exit 0' TERM; while :; do sleep 0.1; done`;
const ORDERS = `mkdir -p /tmp/www/orders
echo order 42 >/tmp/www/orders/42
trap 'exit 0' TERM
httpd -p 127.0.0.1:8080 -h /tmp/www
while :; do sleep 0.1; done`;

describe('the documents on Kubernetes, with pods that run', function () {
  this.timeout(180_000);
  let site: PodSite;
  let shell: DocShell;
  let blocks: string[];
  const ports = new Map<string, string>();

  before(async function () {
    if (!kubeBinary() || !containerPrograms() || process.getuid?.() !== 0) return this.skip();
    site = await openPodSite({ shop: false });
    const { dir, cluster, vault } = site;
    const { busybox } = requireContainers();
    const put = async (name: string, script: string, programs: Record<string, string> = {}) => {
      const image = `registry.example.org/${name}:1`;
      const entry = ['/bin/sh', '-c', script];
      await cluster.importImages(await programImage(busybox, join(dir, 'images'), image, entry, programs));
    };
    await put('web', IDLE, { '/usr/local/bin/curl': which('curl')! });
    await put('orders', ORDERS);
    await writeFile(join(dir, 'vault-ca.pem'), vault.caCert ?? '');
    const { VAULT_ADDR = '', VAULT_TOKEN = '', VAULT_CACERT = '' } = site.env;
    shell = await openDocShell(dir, {
      VAULT_ADDR,
      VAULT_TOKEN,
      VAULT_CACERT,
      KUBECONFIG: cluster.kubeconfig,
    });
    for (const port of ['8555', '8556']) ports.set(port, String(await freePort()));
    blocks = blocksOf(await read('kubernetes.md'));
  });
  after(async () => {
    await shell?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
  });

  /** The document's next block, with ports that are free here, and what stands for the words in capitals. */
  const runNext = async (words: Readonly<Record<string, string>> = {}) => {
    let block = blocks.shift() ?? assert.fail('there is no further block');
    for (const [word, meant] of Object.entries(words)) block = block.replaceAll(word, meant);
    block = block
      .replaceAll(/(?<=https:\/\/127\.0\.0\.1:)\d+/g, (port) => ports.get(port)!)
      .replaceAll(/(?<=port-forward \S+ )(\d+)(:\d+) &$/gm, (_, port, there) => {
        const free = ports.get(port)!;
        return `${free}${there} >/dev/null &\nuntil curl -sko /dev/null https://127.0.0.1:${free}/healthz; do sleep 0.05; done`;
      });
    return await shell.run(block);
  };
  /** What the app `web` is answered. */
  const ask = (...args: string[]) => site.exec('deployment/web', 'curl', '-s', ...args);

  it('lead from the installed chart to a call that is allowed, and one that is denied with the reason', async () => {
    const { body } = await site.cluster.request(
      'GET',
      '/apis/apps/v1/namespaces/signet/deployments/signet-broker',
    );
    assert.equal(body.status.readyReplicas, REPLICAS);
    while (!blocks[0]!.includes('rollout status')) await runNext();
    const pods = await runNext();
    assert.equal(pods.match(/^(orders|web)-\S+ +2\/2 +Running/gm)?.length, 3, pods);
    // within a moment `web` hears that `orders` is ready
    await until(async () => (await ask('http://orders.shop/orders/42')) === 'order 42\n');
    const calls = await runNext();
    const [allowed, denied] = calls.split(/(?=^HTTP\/1\.1 )/m);
    assert.match(allowed!, /^HTTP\/1\.1 200 OK[\s\S]*\norder 42$/m);
    assert.match(denied!, /^HTTP\/1\.1 403 Forbidden/);
    const { code, detail } = JSON.parse(denied!.slice(denied!.indexOf('{')));
    assert.equal(code, 'no_rule');
    assert.equal(detail, 'no policy allows DELETE /orders/42 for spiffe://example.org/ns/shop/sa/web');
  });

  it('take an identity away and give it back', async () => {
    const out = await runNext();
    assert.deepEqual(out.match(/(?<=^acme\/shop\/pods )\w+/gm), ['disabled', 'active'], out);
  });

  it('leave nothing for the check to find but an image without a digest', async () => {
    const out = await runNext();
    assert.match(out, /^no faults, 1 warning$/m);
    assert.deepEqual(out.match(/(?<=^(?:fault|warning) )\S+/gm), ['broker.image'], out);
  });

  it('find out why a pod waits', async () => {
    await runNext();
    let waiting = '';
    await until(async () => {
      const logs = await site.cluster
        .kubectl('-n', 'shop', 'logs', '-l', 'app=web', '-c', 'signet-sidecar', '--tail=-1')
        .catch(() => '');
      waiting = /"correlation_id":"([\w-]+)"/.exec(logs)?.[1] ?? '';
      return waiting !== '';
    }, 30_000);
    const logs = await runNext({ 'CORRELATION-ID': waiting });
    const [, broker = ''] = /^\[(pod\/signet-broker-[\w-]+)\/broker\]/m.exec(logs) ?? [];
    const out = await runNext({ 'CORRELATION-ID': waiting, 'BROKER-POD': broker });
    assert.match(out, /^kubernetes: entry_disabled/m);
    assert.match(out, /^ {2}shown k8s:sa = web$/m);
    assert.match(out, /^ {2}acme\/shop\/pods \(disabled\): matches$/m);
    assert.match(await runNext(), /deployment "web" successfully rolled out/);
    assert.deepEqual(blocks, []);
  });

  it('call Services by every name that is told', async () => {
    const doc = await read('kubernetes-services.md');
    const [command = ''] = blocksOf(doc);
    assert.equal(await site.exec('deployment/web', 'sh', '-ec', command), 'order 42\n');
    const names = Array.from(doc.matchAll(/(?<=^\| )`orders.*?(?= \|)/gm), ([cell]) => cell.split(', '));
    assert.equal(names.flat().length, 4);
    for (const name of names.flat()) {
      const url = `http://${name.replaceAll('`', '')}/orders/42`;
      assert.equal(await ask(url), 'order 42\n', url);
    }
    const { code } = JSON.parse(await ask('http://invoices.shop/'));
    assert.equal(code, 'unknown_upstream');
  });

  it('give a pod its sidecar, which has its identity before the app begins', async () => {
    const { kubectl, apply, request, createServiceAccount } = site.cluster;
    const [yaml = ''] = blocksOf(await read('kubernetes-injection.md'), 'yaml');
    // another namespace: in `shop` such a pod is not secured enough
    const objects = loadAll(yaml.replaceAll(/\bshop\b/g, 'cellar')) as [object, object];
    await apply([objects[0]]);
    await createServiceAccount('cellar', 'orders');
    await shell.run(
      `npx signet entry create --name acme/shop/cellar --spiffe-id spiffe://example.org/ns/shop/sa/cellar \
        --selector k8s:cluster=main --selector k8s:ns=cellar --ttl 15m`,
    );
    await apply([objects[1]]);
    await kubectl('wait', '-n', 'cellar', '--for=condition=Ready', 'pod/orders', '--timeout=60s');
    const { body } = await request('GET', '/api/v1/namespaces/cellar/pods/orders');
    assert.equal(body.metadata.labels['signet/injected'], 'true');
    const [sidecar] = body.spec.initContainers;
    assert.deepEqual([sidecar.name, sidecar.restartPolicy], ['signet-sidecar', 'Always'], dump(body.spec));
    const logs = await kubectl('-n', 'cellar', 'logs', 'orders', '-c', 'signet-sidecar');
    assert.match(logs, /"event":"svid","spiffe_id":"spiffe:\/\/example\.org\/ns\/shop\/sa\/cellar"/);
    const svid = JSON.parse(logs.split('\n').find((line) => line.includes('"event":"svid"'))!);
    const began = body.status.containerStatuses[0].state.running.startedAt;
    assert.ok(Date.parse(began) + 1000 > Date.parse(svid.time), `${began} ${svid.time}`);
  });
});
