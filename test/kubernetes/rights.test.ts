import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { renderManifests } from '../../setup/render-manifests.mjs';
import { hostEntry, type TestBroker } from '../broker/site.ts';
import { type ClusterSite, openClusterSite } from './cluster-site.ts';
import { type AuditLine, type Rule, rightsOf, rightsUsed } from './rights.ts';
import { made, makePod, makeServiceAccounts, tokenFor } from './service-accounts.ts';

/** One thing that brokers do at the API server, and the rights that it takes. */
type Work = { readonly what: string; readonly rights: readonly string[]; readonly run: () => Promise<void> };

const BROKER = 'system:serviceaccount:signet:signet-broker';
const ROLE = '/apis/rbac.authorization.k8s.io/v1/clusterroles/signet-broker';

/** Granted for works that are not in the list below yet. */
const AWAITED: readonly string[] = [
  ...['pods', 'services', 'endpointslices.discovery.k8s.io'].flatMap((what) => [
    `list ${what}`,
    `watch ${what}`,
  ]),
  'get namespaces',
  ...['mutating', 'validating'].flatMap((kind) =>
    ['get', 'patch'].map(
      (verb) => `${verb} ${kind}webhookconfigurations.admissionregistration.k8s.io signet-injector`,
    ),
  ),
];

describe('what a broker may do at the API server', function () {
  this.timeout(60_000);
  let site: ClusterSite;
  let broker: TestBroker;
  let granted: string[];

  before(async () => {
    site = await openClusterSite();
    const { api } = site;
    await writeFile(join(site.dir, 'signet.yaml'), renderManifests());
    await api.kubectl('apply', '-f', join(site.dir, 'signet.yaml'));
    granted = rightsOf((await api.request('GET', ROLE)).body.rules as Rule[]);
    const { code, out } = await site.signet(...site.apply);
    assert.equal(code, 0, out);
    await site.putToken(await tokenFor(api, 'signet', 'signet-broker'));
    await writeFile(
      join(site.dir, 'api-token'),
      await tokenFor(api, 'signet', 'signet-broker', { audience: api.url }),
    );
    const kubeconfig = join(site.dir, 'kubeconfig');
    await writeFile(
      kubeconfig,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'broker',
        clusters: [
          { name: 'main', cluster: { server: api.url, 'certificate-authority': join(site.dir, 'ca.pem') } },
        ],
        users: [{ name: 'broker', user: { tokenFile: join(site.dir, 'api-token') } }],
        contexts: [{ name: 'broker', context: { cluster: 'main', user: 'broker' } }],
      }),
    );
    broker = await site.startBroker({ SIGNET_KUBERNETES: `main=kubeconfig:${kubeconfig}` });
  });
  after(() => site?.[Symbol.asyncDispose]());

  const works: readonly Work[] = [
    {
      what: 'it attests a pod',
      rights: ['create tokenreviews.authentication.k8s.io', 'get pods'],
      async run() {
        const { api } = site;
        await makeServiceAccounts(api, { shop: ['orders'] });
        const uid = await makePod(api, 'shop', 'orders-0', 'orders');
        await made(api, '/api/v1/nodes', { metadata: { name: 'node-1' } });
        await made(api, '/api/v1/namespaces/shop/pods/orders-0/binding', {
          metadata: { name: 'orders-0' },
          target: { apiVersion: 'v1', kind: 'Node', name: 'node-1' },
        });
        const entry = hostEntry('orders', { 'k8s:ns': 'shop', 'k8s:sa': 'orders' });
        const registrar = await site.tokenOf('signet-registrar-acme.shop');
        const created = await broker.call('POST', '/v1/entries', entry, registrar);
        assert.equal(created.status, 201, JSON.stringify(created.body));
        const token = await tokenFor(api, 'shop', 'orders', {
          audience: 'signet',
          pod: { name: 'orders-0', uid },
        });
        using client = await broker.connect();
        const reply = await client.attest('kubernetes', () => ({ token }));
        assert.equal(reply.status, 201, JSON.stringify(reply.body));
      },
    },
  ];
  for (const { what, run } of works) it(what, run);

  it('is all that it asked for, and nothing of it was refused', async () => {
    const lines = ((await site.api.audit()) as AuditLine[]).filter(({ user }) => user?.username === BROKER);
    const refused = lines.filter(
      ({ annotations }) => annotations?.['authorization.k8s.io/decision'] !== 'allow',
    );
    assert.deepEqual(rightsUsed(refused, granted), []);
    const used = rightsUsed(lines, granted);
    const known = [...works.flatMap(({ rights }) => rights), ...AWAITED];
    assert.deepEqual(
      used.filter((right) => !known.includes(right)),
      [],
      'no work above says that it needs this',
    );
    const unused = granted.filter((right) => !used.includes(right) && !AWAITED.includes(right));
    assert.deepEqual(unused, [], 'granted, and not used by any work above');
  });
  it('is what the chart grants, and no more', () => {
    assert.deepEqual(granted, [...new Set([...works.flatMap(({ rights }) => rights), ...AWAITED])].sort());
  });
});
