import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { type ApiServer, startApiServer } from '../../harness/kubernetes/api-server.ts';
import { type KubernetesApi, openKubernetes } from '../../lib/adapter/kubernetes/index.ts';

type Named = { readonly metadata: { readonly name: string } };

/** What whoever may write in one namespace can put there must not hide the others' objects. */
describe('objects as large as an API server takes', function () {
  this.timeout(60_000);
  let server: ApiServer;
  let api: KubernetesApi & Disposable;
  before(async () => {
    server = await startApiServer();
    await server.createNamespace('crowd');
    await server.createServiceAccount('crowd', 'default');
    api = await openKubernetes('main', { kind: 'kubeconfig', file: server.kubeconfig });
  });
  after(async () => {
    api?.[Symbol.dispose]();
    await server?.stop();
  });

  it('are listed, however many', async () => {
    const annotations = { much: 'x'.repeat(255 * 1024) };
    for (let i = 0; i < 140; i += 20)
      await Promise.all(
        Array.from({ length: 20 }, async (_, j) => {
          const metadata = { name: `s-${i + j}`, annotations };
          const spec = { clusterIP: 'None', ports: [{ port: 80 }] };
          const made = await server.request('POST', '/api/v1/namespaces/crowd/services', { metadata, spec });
          assert.equal(made.status, 201, JSON.stringify(made.body));
        }),
      );
    const { items } = await api.list<Named>('/api/v1/services');
    assert.equal(items.filter(({ metadata }) => metadata.name.startsWith('s-')).length, 140);
  });

  it('are watched, however they are spelled', async () => {
    const path = '/api/v1/namespaces/crowd/pods';
    const { resourceVersion } = await api.list(path);
    // as JSON each of these characters takes six bytes
    const env = [{ name: 'MUCH', value: '<'.repeat(1_500_000) }];
    const spec = { containers: [{ name: 'app', image: 'nowhere/app:1', env }] };
    const made = await server.request('POST', path, { metadata: { name: 'large' }, spec });
    assert.equal(made.status, 201, JSON.stringify(made.body).slice(0, 500));
    const enough = new AbortController();
    const seen: string[] = [];
    for await (const { object } of api.watch<Named>(path, { resourceVersion }, enough.signal)) {
      seen.push(object.metadata.name);
      enough.abort();
    }
    assert.deepEqual(seen, ['large']);
    assert.deepEqual(
      (await api.list<Named>(path)).items.map(({ metadata }) => metadata.name),
      ['large'],
    );
  });
});
