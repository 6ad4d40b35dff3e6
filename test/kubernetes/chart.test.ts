import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type ApiServer, startApiServer } from '../../harness/kubernetes/api-server.ts';
import { renderManifests } from '../../setup/render-manifests.mjs';
import { type Chart, chart, EVERYTHING, LEAST, openChart, room, section } from './chart.ts';

const WEBHOOKS = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/signet-injector';

describe('the chart, at a real API server', function () {
  this.timeout(60_000);
  let kit: Chart;
  let api: ApiServer;
  before(async () => {
    [kit, api] = await Promise.all([openChart(), startApiServer()]);
    await api.kubectl('apply', '-f', join(room, 'manifests/namespace.yaml'));
  });
  after(async () => {
    await api?.[Symbol.asyncDispose]();
    await kit?.[Symbol.asyncDispose]();
  });

  const dryRun = async (text: string) => {
    const file = await kit.fileOf('rendered.yaml', text);
    return await api.kubectl('apply', '--dry-run=server', '--validate=strict', '-f', file);
  };
  it('is valid as it is, with everything set, and with as little as can be', async () => {
    for (const text of [renderManifests(), await kit.rendered(EVERYTHING), await kit.rendered(LEAST)]) {
      const told = await dryRun(text);
      assert.match(told, /deployment\.apps\/signet-broker created \(server dry run\)/);
    }
  });
  it('gives pods that the restricted profile takes', async () => {
    for (const what of [EVERYTHING, LEAST]) {
      await dryRun(await kit.rendered(what));
      const made = JSON.parse(
        await api.kubectl(
          'apply',
          '--dry-run=server',
          '-o',
          'json',
          '-f',
          await kit.fileOf('deployment.yaml', await kit.rendered(what)),
        ),
      );
      const { template: pod } = made.items.find((item: { kind: string }) => item.kind === 'Deployment').spec;
      await api
        .request('POST', '/api/v1/namespaces/signet/serviceaccounts', {
          metadata: { name: 'signet-broker' },
        })
        .catch(() => undefined);
      const { priorityClassName: _, ...spec } = pod.spec;
      const answer = await api.request('POST', '/api/v1/namespaces/signet/pods?dryRun=All', {
        metadata: { ...pod.metadata, name: 'one' },
        spec,
      });
      assert.equal(answer.status, 201, JSON.stringify(answer.body));
      const spoilt = { ...spec, securityContext: {} };
      const refused = await api.request('POST', '/api/v1/namespaces/signet/pods?dryRun=All', {
        metadata: { ...pod.metadata, name: 'two' },
        spec: spoilt,
      });
      assert.equal(refused.status, 403, 'the namespace holds no pod to the restricted profile');
    }
    await api.request('DELETE', '/api/v1/namespaces/signet/serviceaccounts/signet-broker');
  });

  describe('installed by helm', () => {
    const upgrade = async (what: object) => {
      const { code, out } = await kit.helm(
        ...['upgrade', '--install', 'signet', chart, '-n', 'signet', '--kubeconfig', api.kubeconfig],
        ...['-f', await kit.fileOf('install.json', JSON.stringify(what))],
      );
      assert.equal(code, 0, out);
      return out;
    };
    const sound = { trustDomain: 'example.org', vault: { address: 'https://vault.example.org:8200' } };

    it('tells how to go on', async () => {
      const out = await upgrade(sound);
      assert.match(out, /rollout status deployment\/signet-broker/);
      assert.match(out, /signet\/inject=enabled/);
    });
    it('grants the broker what docs/kubernetes-install.md tells', async () => {
      const told = [
        ...(await section('What the broker may do')).matchAll(/^\| (`.*?) \| (`.*?) \| \S.* \|$/gm),
      ];
      const words = (cell = '') => Array.from(cell.matchAll(/`([\w-]+)`/g), ([, word]) => word);
      const role = (await api.request('GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles/signet-broker'))
        .body;
      assert.deepEqual(
        told.map(([, what, verbs]) => ({
          resources: words(what).filter((word) => word !== 'signet-injector'),
          named: words(what).includes('signet-injector'),
          verbs: words(verbs),
        })),
        role.rules.map((rule: { resources: string[]; verbs: string[]; resourceNames?: string[] }) => ({
          resources: rule.resources,
          named: rule.resourceNames?.join() === 'signet-injector',
          verbs: rule.verbs,
        })),
      );
    });
    it('keeps the caBundle that the broker wrote when it is upgraded', async () => {
      const caBundle = Buffer.from(api.caCert).toString('base64');
      const patch = [{ op: 'add', path: '/webhooks/0/clientConfig/caBundle', value: caBundle }];
      for (const kind of ['mutatingwebhookconfiguration', 'validatingwebhookconfiguration'])
        await api.kubectl('patch', kind, 'signet-injector', '--type=json', '-p', JSON.stringify(patch));
      await upgrade({ ...sound, injector: { timeoutSeconds: 9, excludedNamespaces: ['legacy'] } });
      for (const path of [WEBHOOKS, WEBHOOKS.replace('mutating', 'validating')]) {
        const [webhook] = (await api.request('GET', path)).body.webhooks;
        assert.deepEqual([webhook.clientConfig.caBundle, webhook.timeoutSeconds], [caBundle, 9]);
      }
    });
    it('lets pods alone that have nothing to do with Signet, and refuses the others while no broker answers', async () => {
      for (const [name, labels] of [
        ['shop', { 'signet/inject': 'enabled' }],
        ['plain', {}],
      ] as const) {
        await api.request('POST', '/api/v1/namespaces', { metadata: { name, labels } });
        await api.request('POST', `/api/v1/namespaces/${name}/serviceaccounts`, {
          metadata: { name: 'app' },
        });
      }
      const create = async (namespace: string, metadata: object, more: object = {}, account = 'app') =>
        await api.request('POST', `/api/v1/namespaces/${namespace}/pods`, {
          metadata: { generateName: 'p-', ...metadata },
          spec: {
            serviceAccountName: account,
            automountServiceAccountToken: false,
            containers: [{ name: 'c', image: 'none' }],
            ...more,
          },
        });
      const asks = { annotations: { 'signet/inject': 'true' } };
      const token = (audience: string) => ({
        volumes: [{ name: 't', projected: { sources: [{ serviceAccountToken: { path: 't', audience } }] } }],
      });
      const plain = await create('plain', asks);
      assert.equal(plain.status, 201);
      assert.equal((await create('shop', { annotations: { a: 'b' }, labels: { c: 'd' } })).status, 201);
      assert.equal((await create('shop', {}, token('vault'))).status, 201);
      const refused: [what: object, more: object, by: string][] = [
        [asks, {}, 'inject'],
        [{ annotations: { 'signet/upstreams': 'x' } }, {}, 'validate'],
        [{ labels: { 'signet/injected': 'true' } }, {}, 'validate'],
        [{}, { initContainers: [{ name: 'signet-sidecar', image: 'none' }] }, 'validate'],
        [{}, { volumes: [{ name: 'signet-token', emptyDir: {} }] }, 'validate'],
        [{}, token('signet'), 'validate'],
      ];
      for (const [what, more, by] of refused) {
        const answer = await create('shop', what, more);
        assert.equal(answer.status, 500, JSON.stringify([what, more]));
        assert.ok(answer.body.message.includes(`"${by}.admission.signet"`), answer.body.message);
      }
      await api.kubectl('label', 'namespace', 'plain', 'signet/inject=enabled');
      const path = `/api/v1/namespaces/plain/pods/${plain.body.metadata.name}`;
      const change = { metadata: { annotations: { 'signet/inject': null } } };
      assert.equal((await api.request('PATCH', path, change)).status, 500);
      assert.equal((await api.request('DELETE', path)).status, 200);
      // Labelled by mistake, its own namespace is left alone all the same: brokers have to be able to start.
      await api.kubectl('label', 'namespace', 'signet', 'kube-system', 'signet/inject=enabled');
      const own = await create('signet', asks, {}, 'signet-broker');
      assert.equal(own.status, 403, 'restricted');
      assert.match(own.body.message, /PodSecurity/);
    });
    it('is gone when it is uninstalled, with everything outside of its namespace', async () => {
      const { code, out } = await kit.helm(
        'uninstall',
        'signet',
        '-n',
        'signet',
        '--kubeconfig',
        api.kubeconfig,
      );
      assert.equal(code, 0, out);
      for (const path of [
        WEBHOOKS,
        WEBHOOKS.replace('mutating', 'validating'),
        '/apis/rbac.authorization.k8s.io/v1/clusterroles/signet-broker',
        '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/signet-broker',
        '/apis/apps/v1/namespaces/signet/deployments/signet-broker',
      ])
        assert.equal((await api.request('GET', path)).status, 404, path);
    });
  });
});
