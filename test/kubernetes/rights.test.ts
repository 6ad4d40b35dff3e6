import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { renderManifests } from '../../setup/render-manifests.mjs';
import { hostEntry, type TestBroker, until } from '../broker/site.ts';
import { type Shown, spendGrant } from '../support/attest-client.ts';
import { type ClusterSite, openClusterSite } from './cluster-site.ts';
import { type Rule, rightsOf, rightsUsed } from './rights.ts';

/** One thing that brokers do at the API server, and the rights that it takes. */
type Work = {
  readonly what: string;
  /** Where it is done. */
  readonly room: string;
  readonly rights: readonly string[];
  readonly run: () => Promise<void>;
};

const BROKER = 'system:serviceaccount:signet:signet-broker';
const ROLE = '/apis/rbac.authorization.k8s.io/v1/clusterroles/signet-broker';
const WEBHOOKS = ['mutating', 'validating'].map(
  (kind) => `${kind}webhookconfigurations.admissionregistration.k8s.io`,
);

describe('what a broker may do at the API server', function () {
  this.timeout(60_000);
  let site: ClusterSite;
  let broker: TestBroker;
  let granted: string[];
  let orders: Shown;

  before(async () => {
    site = await openClusterSite();
    const { api } = site;
    await api.apply(renderManifests());
    granted = rightsOf((await api.request('GET', ROLE)).body.rules as Rule[]);
    const { code, out } = await site.signet(...site.apply);
    assert.equal(code, 0, out);
    await site.putToken(await api.requestToken('signet', 'signet-broker', { audience: 'vault' }));
    const kubeconfig = await api.kubeconfigWith(await api.requestToken('signet', 'signet-broker'));
    const config = await api.request('GET', '/api/v1/namespaces/signet/configmaps/signet-broker');
    const injector = join(site.dir, 'injector.json');
    await writeFile(injector, config.body.data['injector.json']);
    broker = await site.startBroker({
      SIGNET_KUBERNETES: `main=kubeconfig:${kubeconfig}`,
      SIGNET_INJECTOR: injector,
    });
  });
  after(() => site?.[Symbol.asyncDispose]());

  const used = async () =>
    rightsUsed(
      (await site.api.audit()).filter(({ user }) => user === BROKER),
      granted,
    );
  const works: readonly Work[] = [
    {
      what: 'it attests a pod',
      room: 'broker/attestors/kubernetes.ts',
      rights: ['create tokenreviews.authentication.k8s.io', 'get pods'],
      async run() {
        const { api } = site;
        await api.createNamespace('shop', { 'signet/inject': 'enabled' });
        await api.createServiceAccount('shop', 'orders');
        const pod = { namespace: 'shop', name: 'orders-0', serviceAccount: 'orders', node: 'node-1' };
        await api.createPod(pod);
        const entry = hostEntry('orders', { 'k8s:ns': 'shop', 'k8s:sa': 'orders' });
        const registrar = await site.tokenOf('signet-registrar-acme.shop');
        const created = await broker.call('POST', '/v1/entries', entry, registrar);
        assert.equal(created.status, 201, JSON.stringify(created.body));
        const token = await api.requestToken('shop', 'orders', { audience: 'signet', pod: 'orders-0' });
        using client = await broker.connect();
        const reply = await client.attest('kubernetes', () => ({ token }));
        assert.equal(reply.status, 201, JSON.stringify(reply.body));
        orders = await spendGrant(site.vault.request, reply.body);
      },
    },
    {
      what: 'it watches Services for sidecars',
      room: 'broker/services',
      rights: ['pods', 'services', 'endpointslices.discovery.k8s.io'].flatMap((kind) => [
        `list ${kind}`,
        `watch ${kind}`,
      ]),
      async run() {
        using client = await broker.connect({ shown: orders });
        const reply = await client.send('GET', '/v1/services');
        assert.equal(reply.status, 200, JSON.stringify(reply.body));
        await until(async () => (await used()).filter((right) => right.startsWith('watch ')).length === 3);
      },
    },
    {
      what: 'it keeps the caBundle of its webhooks, and asks what a namespace may have',
      room: 'broker/admission',
      rights: [
        'get namespaces',
        ...WEBHOOKS.flatMap((kind) => ['get', 'patch'].map((verb) => `${verb} ${kind} signet-injector`)),
      ],
      async run() {
        for (const kind of ['mutating', 'validating']) {
          const path = `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations/signet-injector`;
          await until(
            async () => (await site.api.request('GET', path)).body.webhooks[0].clientConfig.caBundle,
          );
        }
        const pod = {
          metadata: {
            name: 'web',
            namespace: 'shop',
            annotations: {
              'signet/inject': 'true',
              'signet/upstreams': 'services',
              'signet/redirect': 'true',
            },
          },
          spec: { serviceAccountName: 'orders', containers: [{ name: 'app', image: 'none' }] },
        };
        const reply = await broker.call('POST', '/admission/mutate?timeout=5s', {
          apiVersion: 'admission.k8s.io/v1',
          kind: 'AdmissionReview',
          request: {
            uid: 'one',
            kind: { group: '', version: 'v1', kind: 'Pod' },
            operation: 'CREATE',
            namespace: 'shop',
            object: pod,
            oldObject: null,
          },
        });
        assert.equal(reply.status, 200, JSON.stringify(reply.body));
        assert.equal(reply.body.response.allowed, false, 'the namespace does not allow a redirect');
      },
    },
  ];
  /** What is granted for a room that this tree does not have is neither used nor missed. */
  const here = ({ room }: Work) => existsSync(new URL(`../../${room}`, import.meta.url));
  for (const work of works.filter(here)) it(work.what, work.run);

  it('is all that it asked for, and nothing of it was refused', async () => {
    const refused = (await site.api.audit()).filter(({ user, status }) => user === BROKER && status === 403);
    assert.deepEqual(rightsUsed(refused, granted), []);
    const wanted = works.filter(here).flatMap(({ rights }) => rights);
    assert.deepEqual(await used(), [...new Set(wanted)].sort());
  });
  it('is what the chart grants, and no more', () => {
    assert.deepEqual(granted, [...new Set(works.flatMap(({ rights }) => rights))].sort());
  });
});
