import assert from 'node:assert/strict';
import { access } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiServer, startApiServer } from '../../harness/kubernetes/api-server.ts';

describe('an API server for tests', function () {
  this.timeout(60_000);
  let server: ApiServer;
  before(async () => {
    server = await startApiServer();
    await server.createNamespace('shop', { team: 'one' });
    await server.createServiceAccount('shop', 'orders');
  });
  after(() => server?.stop());

  it('answers its administrator by kubectl, and is the pinned version', async () => {
    const said = JSON.parse(await server.kubectl('version', '-o', 'json'));
    assert.equal(said.serverVersion.gitVersion, 'v1.34.4');
    assert.equal(said.clientVersion.gitVersion, 'v1.34.4');
    await assert.rejects(server.kubectl('get', 'pod', 'none'), /pods "none" not found/);
  });

  it('says whose a bound token is, and refuses it once its pod is gone', async () => {
    const pod = { namespace: 'shop', name: 'orders-0', serviceAccount: 'orders', node: 'fake' };
    const { metadata } = await server.createPod(pod);
    const token = await server.requestToken('shop', 'orders', { audience: 'signet', pod: 'orders-0' });
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
    assert.equal(claims.iss, server.issuer);
    assert.equal(claims['kubernetes.io'].node.name, 'fake');

    const review = await server.reviewToken(token, 'signet');
    assert.equal(review.user?.username, 'system:serviceaccount:shop:orders');
    assert.deepEqual(review.user?.extra?.['authentication.kubernetes.io/pod-uid'], [metadata.uid]);
    assert.equal((await server.reviewToken(token, 'another')).authenticated ?? false, false);

    await server.deletePod('shop', 'orders-0');
    // the API server remembers for ten seconds that a token was good
    for (const end = Date.now() + 30_000; (await server.reviewToken(token, 'signet')).authenticated; )
      if (Date.now() > end) assert.fail('a token of a pod that is gone is still taken');
      else await sleep(200);
  });

  it('tells in its audit log who asked for what', async () => {
    await server.createServiceAccount('shop', 'reader');
    const kubeconfig = await server.kubeconfigWith(await server.requestToken('shop', 'reader'));
    await assert.rejects(
      server.kubectl('--kubeconfig', kubeconfig, 'get', 'secrets', '-n', 'shop'),
      /cannot list/,
    );
    const user = 'system:serviceaccount:shop:reader';
    const asked = (await server.audit()).filter(
      (event) => event.user === user && event.resource === 'secrets',
    );
    assert.equal(asked.length > 0, true);
    const { verb, namespace, status, group } = asked[0]!;
    assert.deepEqual(
      { verb, namespace, status, group },
      { verb: 'list', namespace: 'shop', status: 403, group: '' },
    );
  });

  it('refuses a privileged pod in a namespace that is restricted', async () => {
    await server.createNamespace('strict', { 'pod-security.kubernetes.io/enforce': 'restricted' });
    await server.createServiceAccount('strict', 'app');
    const pod = { namespace: 'strict', name: 'app', serviceAccount: 'app' };
    await assert.rejects(server.createPod(pod), /violates PodSecurity/);
  });

  it('can be away for a while, and keeps what it held', async () => {
    await server.halt();
    await assert.rejects(server.request('GET', '/version'));
    await server.resume();
    assert.match(await server.kubectl('get', 'namespace', 'shop'), /Active/);
  });

  it('runs beside another, and leaves nothing when it stops', async () => {
    const other = await startApiServer({ controllers: true });
    try {
      await other.createNamespace('elsewhere');
      await assert.rejects(server.kubectl('get', 'namespace', 'elsewhere'), /not found/);
      await other.kubectl('delete', 'namespace', 'elsewhere');
    } finally {
      await other.stop();
    }
    await assert.rejects(access(other.folder));
    await assert.rejects(fetch(other.url));
  });
});
