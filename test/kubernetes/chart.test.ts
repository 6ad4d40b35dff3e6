import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ApiServer, startApiServer } from '../../harness/kubernetes/api-server.ts';
import { renderManifests } from '../../setup/render-manifests.mjs';
import { helm as helmProgram } from './programs.ts';

const room = fileURLToPath(new URL('../../kubernetes', import.meta.url));
const chart = join(room, 'chart');
const values = join(room, 'manifest-values.yaml');
const WEBHOOKS = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/signet-injector';
const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

/** Every value that is not the default, so that every line of every template is rendered. */
const EVERYTHING = {
  trustDomain: 'example.org',
  cluster: 'east',
  otherClusters: ['west=kubeconfig:/etc/west/kubeconfig#ctx', 'far=offline:/etc/far.json'],
  vault: {
    address: 'https://vault.example.org',
    publicAddress: 'https://vault.example.com:8200',
    namespace: 'team/a',
    caCert: PEM,
    kubernetes: { mount: 'k8s/east', role: 'broker-2', audience: 'our-vault', tokenSeconds: 3600 },
  },
  image: {
    repository: 'registry.example/signet',
    digest: `sha256:${'a'.repeat(64)}`,
    pullPolicy: 'Always',
    pullSecrets: ['registry'],
  },
  replicas: 3,
  ipv6: true,
  logLevel: 'warn',
  brokerNames: ['broker.example.org', '10.0.0.7'],
  settings: { SIGNET_RATE_SOURCE: '500', SIGNET_OTLP_CA: '/etc/otlp/ca.pem' },
  injector: {
    image: 'registry.example/sidecar:1',
    upstreams: 'none',
    resources: { limits: { memory: '64Mi' } },
    settings: { SIGNET_LOG_LEVEL: 'debug' },
    timeoutSeconds: 3,
    excludedNamespaces: ['legacy'],
    objectSelector: { matchLabels: { team: 'a' } },
  },
  resources: { requests: { cpu: '1' } },
  priorityClassName: 'system-cluster-critical',
  nodeSelector: { pool: 'identity' },
  tolerations: [{ key: 'identity', operator: 'Exists' }],
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'pool', operator: 'Exists' }] }],
      },
    },
  },
  topologyKeys: ['rack'],
  podAnnotations: { a: 'b' },
  podLabels: { c: 'd' },
  podDisruptionBudget: { maxUnavailable: '50%' },
  networkPolicy: {
    vaultCidrs: ['10.1.0.0/16'],
    apiServerCidrs: ['10.2.0.1/32'],
    apiServerPorts: [6443],
    extraEgress: [{ ports: [{ port: 4318, protocol: 'TCP' }] }],
  },
  extraVolumes: [{ name: 'otlp', configMap: { name: 'otlp' } }],
  extraVolumeMounts: [{ name: 'otlp', mountPath: '/etc/otlp' }],
};
const LEAST = {
  trustDomain: 'example.org',
  vault: { address: 'https://vault.example.org:8200', approle: { roleId: 'r', secret: 'signet-approle' } },
  injector: { enabled: false },
  podDisruptionBudget: { enabled: false },
  networkPolicy: { enabled: false },
};

type Run = { readonly code: number; readonly out: string };

/** A program's end and all that it said. */
function run(program: string, args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  return new Promise((resolve) =>
    execFile(program, args, { env: { ...process.env, ...env } }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), out: stdout + (error ? stderr : '') }),
    ),
  );
}

describe('the chart', function () {
  this.timeout(60_000);
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'signet-chart-'));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  const helm = (...args: string[]) =>
    run(helmProgram(), args, { HELM_CACHE_HOME: dir, HELM_CONFIG_HOME: dir, HELM_DATA_HOME: dir });
  const fileOf = async (name: string, text: string) => {
    await writeFile(join(dir, name), text);
    return join(dir, name);
  };
  /** Of docs/kubernetes-install.md. */
  const section = async (title: string) => {
    const doc = await readFile(new URL('../../docs/kubernetes-install.md', import.meta.url), 'utf8');
    return doc.split(/^## /m).find((part) => part.startsWith(title)) ?? '';
  };
  const template = async (what: object) =>
    await helm(
      ...['template', 'signet', chart, '-n', 'signet', '--kube-version', '1.30.0'],
      ...['-f', await fileOf('values.json', JSON.stringify(what))],
    );
  const rendered = async (what: object) => {
    const { code, out } = await template(what);
    assert.equal(code, 0, out);
    return out;
  };

  it('has nothing that helm lint minds', async () => {
    const { code, out } = await helm('lint', '--strict', '--kube-version', '1.30.0', chart, '-f', values);
    assert.equal(code, 0, out);
    assert.doesNotMatch(out, /\[(WARNING|ERROR)\]/);
  });
  it('renders to the manifests that are kept beside it', async () => {
    assert.equal(
      await readFile(join(room, 'manifests/signet.yaml'), 'utf8'),
      renderManifests(),
      'run node setup/render-manifests.mjs',
    );
  });
  it('tells brokers how to inject, in JSON', async () => {
    const document = async (what: object) => {
      const [, text = ''] = /^ {2}injector\.json: \|\n((?: {4}.*\n)+)/m.exec(await rendered(what)) ?? [];
      return JSON.parse(text);
    };
    const webhooks = { mutating: 'signet-injector', validating: 'signet-injector', service: 'signet-broker' };
    assert.deepEqual(await document(EVERYTHING), {
      cluster: 'east',
      namespace: 'signet',
      image: 'registry.example/sidecar:1',
      image_pull_policy: 'Always',
      resources: { requests: { cpu: '20m', memory: '48Mi' }, limits: { memory: '64Mi' } },
      broker_url: 'https://signet-broker.signet.svc',
      vault: {
        address: 'https://vault.example.com:8200',
        namespace: 'team/a',
        ca_file: '/etc/signet/vault-ca.pem',
      },
      upstreams: 'none',
      environment: { SIGNET_LOG_LEVEL: 'debug' },
      webhooks,
    });
    const { image, vault } = await document({ ...EVERYTHING, vault: LEAST.vault, injector: {} });
    assert.deepEqual([image, vault], [`registry.example/signet@sha256:${'a'.repeat(64)}`, {}]);
  });
  it('makes pods anew when what they read at their start has changed, and else not', async () => {
    const stamp = async (caCert: string) =>
      /checksum\/config: "(\w+)"/.exec(
        await rendered({ ...EVERYTHING, vault: { ...EVERYTHING.vault, caCert } }),
      )?.[1];
    assert.equal(await stamp(PEM), await stamp(`${PEM}\n`));
    assert.notEqual(await stamp(PEM), await stamp(PEM.replace('MIIB', 'MIIC')));
  });

  describe('refuses by name', () => {
    const sound = { trustDomain: 'example.org', vault: { address: 'https://vault.example.org:8200' } };
    const cases: [what: string, change: object, says: RegExp][] = [
      ['a missing trust domain', { trustDomain: '' }, /trustDomain/],
      ['a trust domain in capitals', { trustDomain: 'Example.org' }, /trustDomain/],
      ['a missing address of Vault', { vault: {} }, /vault.*address/s],
      ['a Vault in the clear', { vault: { address: 'http://vault:8200' } }, /vault\/address/],
      ['a misspelt value', { replica: 2 }, /'replica'/],
      ['a misspelt value further in', { vault: { ...sound.vault, adress: 'x' } }, /vault.*'adress'/],
      ['replicas that are no number', { replicas: 'two' }, /replicas/],
      ['no replicas', { replicas: 0 }, /replicas/],
      ['an odd log level', { logLevel: 'loud' }, /logLevel/],
      ['a setting that is none of ours', { settings: { NODE_OPTIONS: '-r x' } }, /settings.*'NODE_OPTIONS'/],
      ['a setting that is no text', { settings: { SIGNET_RATE_SOURCE: 5 } }, /settings\/SIGNET_RATE_SOURCE/],
      ['a setting that a value stands for', { settings: { SIGNET_LISTEN: ':1' } }, /SIGNET_LISTEN/],
      ['a cluster in no form', { otherClusters: ['east'] }, /otherClusters/],
      ['a digest that is none', { image: { digest: 'latest' } }, /image\/digest/],
      ['an odd pull policy', { image: { pullPolicy: 'Sometimes' } }, /image\/pullPolicy/],
      [
        'sidecars of an odd size',
        { injector: { resources: { limits: { cpu: 1 } } } },
        /injector\/resources\/limits\/cpu/,
      ],
      ['a webhook that waits too long', { injector: { timeoutSeconds: 31 } }, /injector\/timeoutSeconds/],
      [
        'a token of under ten minutes',
        { vault: { ...sound.vault, kubernetes: { tokenSeconds: 60 } } },
        /vault\/kubernetes\/tokenSeconds/,
      ],
      [
        'a network that is none',
        { networkPolicy: { vaultCidrs: ['10.0.0.1'] } },
        /networkPolicy\/vaultCidrs/,
      ],
      [
        'an AppRole without its Secret',
        { vault: { ...sound.vault, approle: { roleId: 'r' } } },
        /vault\.approle\.secret is missing/,
      ],
    ];
    for (const [what, change, says] of cases) {
      it(what, async () => {
        assert.equal((await template(sound)).code, 0);
        const { code, out } = await template({ ...sound, ...change });
        assert.notEqual(code, 0, out);
        assert.match(out, says);
      });
    }
    it('a Kubernetes that is too old', async () => {
      const old = await helm('template', chart, '-f', values, '--kube-version', '1.29.9');
      assert.notEqual(old.code, 0);
      assert.match(old.out, /kubeVersion/);
    });
  });

  describe('at a real API server', () => {
    let api: ApiServer;
    before(async () => {
      api = await startApiServer();
      await api.kubectl('apply', '-f', join(room, 'manifests/namespace.yaml'));
    });
    after(() => api?.[Symbol.asyncDispose]());

    const dryRun = async (text: string) => {
      const file = await fileOf('rendered.yaml', text);
      return await api.kubectl('apply', '--dry-run=server', '--validate=strict', '-f', file);
    };
    it('is valid as it is, with everything set, and with as little as can be', async () => {
      for (const text of [renderManifests(), await rendered(EVERYTHING), await rendered(LEAST)]) {
        const told = await dryRun(text);
        assert.match(told, /deployment\.apps\/signet-broker created \(server dry run\)/);
      }
    });
    it('gives pods that the restricted profile takes', async () => {
      for (const what of [EVERYTHING, LEAST]) {
        await dryRun(await rendered(what));
        const made = JSON.parse(
          await api.kubectl(
            'apply',
            '--dry-run=server',
            '-o',
            'json',
            '-f',
            await fileOf('deployment.yaml', await rendered(what)),
          ),
        );
        const { template: pod } = made.items.find(
          (item: { kind: string }) => item.kind === 'Deployment',
        ).spec;
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
        const { code, out } = await helm(
          ...['upgrade', '--install', 'signet', chart, '-n', 'signet', '--kubeconfig', api.kubeconfig],
          ...['-f', await fileOf('install.json', JSON.stringify(what))],
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
        const role = (
          await api.request('GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles/signet-broker')
        ).body;
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
          volumes: [
            { name: 't', projected: { sources: [{ serviceAccountToken: { path: 't', audience } }] } },
          ],
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
        const { code, out } = await helm(
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

  describe('its values', () => {
    /** values.yaml as Helm reads it. */
    const defaults = async (): Promise<Record<string, unknown>> => {
      const teller = join(dir, 'teller');
      await mkdir(join(teller, 'templates'), { recursive: true });
      await cp(join(chart, 'values.yaml'), join(teller, 'values.yaml'));
      await writeFile(join(teller, 'Chart.yaml'), 'apiVersion: v2\nname: teller\nversion: 0.0.0\n');
      await writeFile(join(teller, 'templates/values.yaml'), 'values: {{ toJson .Values | quote }}\n');
      const { out } = await helm('template', teller);
      return JSON.parse(JSON.parse(/^values: (".*")$/m.exec(out)?.[1] ?? '""'));
    };
    it('are those that docs/kubernetes-install.md tells, with their defaults', async () => {
      const told = [
        ...(await section('The chart')).matchAll(/^\| `([\w.]+)` \| (?:`(.*?)`)? ?\| \S.* \|$/gm),
      ];
      const leaves = (value: unknown, at: string): [string, string][] =>
        typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0
          ? Object.entries(value).flatMap(([key, inner]) => leaves(inner, at === '' ? key : `${at}.${key}`))
          : [[at, value === '' ? '' : typeof value === 'string' ? value : JSON.stringify(value)]];
      assert.deepEqual(
        told.map(([, key, value]) => [key, value ?? '']).sort(),
        leaves(await defaults(), '').sort(),
      );
    });
    it('are all in the schema, which knows no other', async () => {
      const schema = JSON.parse(await readFile(join(chart, 'values.schema.json'), 'utf8'));
      const check = (
        value: unknown,
        node: { properties?: object; additionalProperties?: unknown },
        at: string,
      ) => {
        if (node.properties === undefined || typeof value !== 'object' || value === null) return;
        assert.equal(node.additionalProperties, false, at);
        const names = Object.keys(node.properties).filter((name) => name !== 'global');
        assert.deepEqual(names.sort(), Object.keys(value).sort(), at);
        for (const [name, inner] of Object.entries(node.properties))
          check((value as Record<string, unknown>)[name], inner, `${at}.${name}`);
      };
      check(await defaults(), schema, 'values');
    });
  });
});
