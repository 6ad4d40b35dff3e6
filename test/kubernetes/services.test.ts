import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { type ApiServer, startApiServer } from '../../harness/kubernetes/api-server.ts';
import { readDirectory } from '../../sidecar/services/directory.ts';
import { joinEntry, openSite, type Site, type TestBroker, until } from '../broker/site.ts';
import { type Reply, spendGrant, type TestSvid } from '../support/attest-client.ts';

const READER = [
  { apiGroups: [''], resources: ['services', 'pods'], verbs: ['list', 'watch'] },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
];
const ID = 'spiffe://example.org/ns/shop/sa';

describe('Services of a cluster', function () {
  this.timeout(120_000);
  let server: ApiServer;
  let site: Site;
  let broker: TestBroker;
  let other: TestBroker;
  let web: TestSvid;
  before(async () => {
    [server, site] = await Promise.all([startApiServer(), openSite()]);
    await server.createNamespace('shop');
    for (const account of ['orders', 'thief', 'signet']) await server.createServiceAccount('shop', account);
    const kind = 'ClusterRole';
    const metadata = { name: 'signet-services' };
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    await server.apply([
      { apiVersion, kind, metadata, rules: READER },
      {
        ...{ apiVersion, kind: 'ClusterRoleBinding', metadata },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: metadata.name },
        subjects: [{ kind: 'ServiceAccount', namespace: 'shop', name: 'signet' }],
      },
    ]);
    const kubeconfig = await server.kubeconfigWith(await server.requestToken('shop', 'signet'));
    const env = { SIGNET_KUBERNETES: `main=kubeconfig:${kubeconfig}` };
    [broker, other] = await Promise.all([site.startBroker(env), site.startBroker(env)]);
    const entry = {
      ...{ tenant: 'acme/shop', name: 'pods', ttl: '15m' },
      match: { 'k8s:cluster': 'main', 'k8s:ns': 'shop' },
      spiffe_id: 'spiffe://example.org/ns/shop/sa/{k8s:sa}',
    };
    const made = await broker.call('POST', '/v1/entries', entry, site.registrar.shop);
    assert.equal(made.status, 201, JSON.stringify(made.body));
    await broker.call('POST', '/v1/entries', joinEntry('web'), site.registrar.shop);
    const path = '/v1/entries/acme.shop/web/join-code';
    const { code } = (await broker.call('POST', path, {}, site.registrar.shop)).body;
    using client = await broker.connect();
    web = await spendGrant(site.vault.request, (await client.attest('join', () => ({ code }))).body);
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await server?.stop();
  });

  const poll = async (query = '', at = broker, shown: TestSvid | null = web): Promise<Reply> => {
    using client = await at.connect(shown === null ? {} : { shown });
    return await client.send('GET', `/v1/services${query}`);
  };
  const pod = async (name: string, account: string, ip: string) => {
    const { metadata } = await server.createPod({
      ...{ namespace: 'shop', name, serviceAccount: account, node: 'fake' },
      labels: { 'signet/injected': 'true' },
      annotations: { 'signet/inbound': '8080' },
    });
    const status = { phase: 'Running', podIP: ip, podIPs: [{ ip }] };
    const path = `/api/v1/namespaces/shop/pods/${name}/status`;
    assert.equal((await server.request('PATCH', path, { status })).status, 200);
    return { ip, targetRef: { kind: 'Pod', namespace: 'shop', name, uid: metadata.uid } };
  };
  type Behind = Awaited<ReturnType<typeof pod>>;
  const slice = (behind: readonly Behind[]) =>
    server.apply([
      {
        ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
        metadata: { name: 'orders-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'orders' } },
        ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
        endpoints: behind.map(({ ip, targetRef }) => ({
          ...{ addresses: [ip], targetRef, conditions: { ready: true } },
        })),
      },
    ]);
  const service = (annotations: Readonly<Record<string, string>> = {}) =>
    server.apply([
      {
        ...{
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'orders', namespace: 'shop', annotations },
        },
        spec: { ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
      },
    ]);
  const ordersIn = ({ body }: Reply) =>
    // biome-ignore lint/suspicious/noExplicitAny: held against the OpenAPI document already
    body.services.find((each: any) => each.name === 'orders' && each.namespace === 'shop');
  /** `10.0.0.1:8443=orders` of port 80, or why there is none. */
  const told = (reply: Reply): string => {
    const found = ordersIn(reply);
    if (found === undefined || found.absent !== undefined) return found?.absent ?? 'none';
    return found.ports[0].endpoints
      .map(
        ({ address, spiffe_id }: { address: string; spiffe_id: string }) =>
          `${address}=${spiffe_id.slice(ID.length + 1)}`,
      )
      .join(' ');
  };
  const becomes = async (want: string, at = broker) => {
    let seen = '';
    await until(async () => {
      seen = told(await poll('', at));
      return seen === want;
    }).catch(() => assert.equal(seen, want));
  };

  it('are told to workloads alone, and of known clusters alone', async () => {
    assert.equal((await poll('', broker, null)).body.code, 'svid_needed');
    assert.equal((await poll('?cluster=elsewhere')).body.code, 'cluster_unknown');
    assert.equal((await poll('?cluster=MAIN')).body.code, 'malformed');
    assert.equal((await poll('?since=a.b')).body.code, 'malformed');
    const whole = await poll('?cluster=main');
    assert.equal(whole.status, 200);
    const api = whole.body.services.find(({ name }: { name: string }) => name === 'kubernetes');
    assert.equal(api === undefined || api.absent !== undefined || api.ports.length > 0, true);
  });

  it('give each address the ID of its own pod, as soon as there is one', async () => {
    await service();
    await becomes('');
    const { version } = (await poll()).body;
    const waiting = poll(`?since=${version}`);
    const [one, two] = [await pod('a', 'orders', '10.0.0.1'), await pod('b', 'thief', '10.0.0.2')];
    await slice([one, two]);
    assert.notEqual((await waiting).body.version, version);
    await becomes('10.0.0.1:8443=orders 10.0.0.2:8443=thief');
    await service({ 'signet/service-accounts': 'orders' });
    await becomes('10.0.0.1:8443=orders');
    await slice([one, { ...two, ip: '10.0.0.1' }, { ...one, ip: '10.0.0.9' }]);
    await becomes('10.0.0.1:8443=orders');
  });

  it('keep their names, and registered services stand beside them', async () => {
    const put = (name: string, host: string) =>
      broker.call(
        'PUT',
        `/v1/services/acme.shop/${name}`,
        { host, addresses: ['10.9.0.1:8443'], spiffe_ids: [`${ID}/vm`] },
        site.registrar.shop,
      );
    const taken = await put('shadow', 'orders.shop');
    assert.deepEqual(
      [taken.status, taken.body.code],
      [409, 'service_host_taken'],
      JSON.stringify(taken.body),
    );
    const { version } = (await poll()).body;
    const waiting = poll(`?since=${version}`, other);
    assert.equal((await put('vm', 'vm.internal')).status, 201);
    const { body } = await waiting;
    assert.deepEqual([body.cluster, body.registered[0].host], ['main', 'vm.internal']);
    assert.notEqual(ordersIn({ body } as Reply), undefined);
    assert.deepEqual((await poll('?cluster=-')).body.services, []);
  });

  it('are understood by a sidecar', async () => {
    const { services, byIp } = readDirectory((await poll()).body, 'example.org');
    const orders = services.get('orders.shop');
    const [place] = orders!.ports[0]!.places;
    assert.deepEqual([place?.host, place?.port, String(place?.id)], ['10.0.0.1', 8443, `${ID}/orders`]);
    assert.equal([...byIp.values()].includes(orders!), true);
  });

  it('are the same, and of the same version, whichever broker is asked', async () => {
    await becomes('10.0.0.1:8443=orders', other);
    await until(async () => (await poll('', other)).body.version === (await poll()).body.version);
  });

  it('stay as they were while the API server is away, and then go on', async () => {
    await server.halt();
    await broker.waitForEvent('kubernetes_watch_failed', undefined, 30_000);
    assert.equal(told(await poll()), '10.0.0.1:8443=orders');
    await server.resume();
    await server.deletePod('shop', 'a');
    await becomes('not_injected');
    const again = await pod('a', 'orders', '10.0.0.3');
    await slice([again]);
    await becomes('10.0.0.3:8443=orders');
  });

  it('lose the pods of a registration that is no more', async () => {
    const gone = await broker.call('DELETE', '/v1/entries/acme.shop/pods', undefined, site.registrar.shop);
    assert.equal(gone.status, 204, JSON.stringify(gone.body));
    await becomes('no_identity');
  });
});
