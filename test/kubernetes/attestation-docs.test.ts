import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { type ApiServer, startApiServer } from '../../harness/kubernetes/api-server.ts';
import { openSite, type Site, type TestBroker } from '../broker/site.ts';

const root = new URL('../../', import.meta.url);
const doc = await readFile(new URL('docs/kubernetes-attestation.md', root), 'utf8');
const blocks = (kind: string) =>
  Array.from(doc.matchAll(new RegExp(`\`\`\`${kind}\n(.*?)\`\`\``, 'gs')), ([, text]) => text ?? '');

describe('docs/kubernetes-attestation.md', function () {
  this.timeout(120_000);
  let site: Site;
  let server: ApiServer;
  before(async () => {
    [site, server] = await Promise.all([openSite(), startApiServer()]);
    await server.createNamespace('shop');
    await server.createServiceAccount('shop', 'orders');
    await server.createServiceAccount('default', 'broker');
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await server?.stop();
  });

  it('explains every refusal, and no other', async () => {
    const files = globSync('broker/attestors/kubernetes*.ts', { cwd: root });
    const sources = await Promise.all(files.map((file) => readFile(new URL(file, root), 'utf8')));
    const thrown = sources.join().match(/(?<=')(?:TOKEN|POD|CLUSTER|EVIDENCE)_[A-Z_]+(?=')/g);
    const told = Array.from(doc.matchAll(/^\| `([A-Z_]+)` \|/gm), ([, code]) => code ?? '');
    assert.deepEqual(
      told.filter((code) => /^(TOKEN|POD|CLUSTER|EVIDENCE)_/.test(code)).sort(),
      [...new Set(thrown)].sort(),
    );
  });

  it('names rights, a pod and an entry that give the pod its ID', async () => {
    const [role = '', pod = ''] = blocks('yaml');
    await server.apply(role);
    await server.apply(pod);
    await server.kubectl(
      'create',
      'clusterrolebinding',
      'broker',
      '--clusterrole=signet-attestation',
      '--serviceaccount=default:broker',
    );
    await server.request('POST', '/api/v1/nodes', { metadata: { name: 'node-a' } });
    await server.request('POST', '/api/v1/namespaces/shop/pods/orders/binding', {
      metadata: { name: 'orders' },
      target: { apiVersion: 'v1', kind: 'Node', name: 'node-a' },
    });
    const file = await server.kubeconfigWith(await server.requestToken('default', 'broker'));
    await using broker = disposable(await site.startBroker({ SIGNET_KUBERNETES: `main=kubeconfig:${file}` }));
    const entry = JSON.parse(blocks('json')[0] ?? '');
    const made = await broker.call('POST', '/v1/entries', entry, site.registrar.shop);
    assert.equal(made.status, 201, JSON.stringify(made.body));
    using client = await broker.connect();
    const token = await server.requestToken('shop', 'orders', { audience: 'signet', pod: 'orders' });
    const reply = await client.attest('kubernetes', () => ({ token }));
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
    assert.equal(reply.body.spiffe_id, 'spiffe://example.org/ns/shop/sa/orders');
  });

  it('tells how to make the file of an offline cluster', async () => {
    const [, jwks = '', discovery = ''] =
      /what `kubectl (get --raw [^`]+)` prints.*?`kubectl (get --raw [^`]+)`/s.exec(doc) ?? [];
    const { keys } = JSON.parse(await server.kubectl(...jwks.split(' ')));
    const { issuer } = JSON.parse(await server.kubectl(...discovery.split(' ')));
    const file = join(site.dir, 'offline.json');
    const example = JSON.parse(blocks('json')[1] ?? '');
    await writeFile(file, JSON.stringify({ ...example, issuer, keys }));
    await using broker = disposable(await site.startBroker({ SIGNET_KUBERNETES: `main=offline:${file}` }));
    const { name, verified } = await broker.waitForEvent('cluster');
    assert.deepEqual([name, verified], ['main', 'offline']);
    using client = await broker.connect();
    const token = await server.requestToken('shop', 'orders', { audience: 'signet', pod: 'orders' });
    const reply = await client.attest('kubernetes', () => ({ token }));
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
  });
});

function disposable(broker: TestBroker): TestBroker & AsyncDisposable {
  return Object.assign(broker, { [Symbol.asyncDispose]: async () => void (await broker.stop()) });
}
