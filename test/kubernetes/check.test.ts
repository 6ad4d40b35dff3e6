import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { lookAt } from '../../cli/k8s/snapshot.ts';
import type { ApiServer } from '../../harness/kubernetes/api-server.ts';
import { openKubernetes } from '../../lib/adapter/kubernetes/index.ts';
import { type ClusterReport, judgeCluster } from '../../lib/kubernetes/index.ts';
import { until } from '../broker/site.ts';
import { signet } from '../cli/signet.ts';
import { createCa } from '../support/ca.ts';
import { createAdmissionStage } from './admission-stage.ts';
import { IMAGE, send, startCheckedCluster, WEBHOOKS } from './checked-cluster.ts';

const CORE = '/api/v1/namespaces';
const APPS = '/apis/apps/v1/namespaces';
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const BROKER = `${APPS}/signet/deployments/signet-broker`;
const MUTATING = `${WEBHOOKS}/mutatingwebhookconfigurations/signet-injector`;
const VALIDATING = `${WEBHOOKS}/validatingwebhookconfigurations/signet-injector`;

const secure = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
const restricted = { runAsNonRoot: true, runAsUser: 1, seccompProfile: { type: 'RuntimeDefault' } };
const container = (name: string, image = IMAGE) => ({ name, image, securityContext: secure });
const sidecar = { ...container('signet-sidecar'), restartPolicy: 'Always' };
const spec = (more: object = {}) => ({
  ...{ securityContext: restricted, containers: [container('app')], automountServiceAccountToken: false },
  ...more,
});

type Step = readonly [method: string, path: string, body?: object];
type Case = {
  readonly title: string;
  readonly make: readonly Step[];
  readonly undo: readonly Step[];
  /** The whole report that it gives: marks and ids. */
  readonly gives: readonly string[];
  readonly says: RegExp;
};

/** Made, and deleted afterwards. */
function extra(
  title: string,
  objects: readonly [path: string, body: object][],
  gives: string[],
  says: RegExp,
): Case {
  const named = objects.map(
    ([path, body]) => `${path}/${(body as { metadata: { name: string } }).metadata.name}`,
  );
  return {
    ...{ title, gives, says },
    make: objects.map(([path, body]) => ['POST', path, body] as const),
    undo: named.reverse().map((path) => ['DELETE', `${path}?gracePeriodSeconds=0`] as const),
  };
}

/** One field set, and set back. */
function changed(
  title: string,
  path: string,
  [now, then]: [object, object],
  gives: string[],
  says: RegExp,
): Case {
  return { ...{ title, gives, says }, make: [['PATCH', path, now]], undo: [['PATCH', path, then]] };
}

const field = (path: string, now: unknown, then: unknown): [object, object] => [
  [{ op: 'replace', path, value: now }],
  [{ op: 'replace', path, value: then }],
];

const pod = (name: string, annotations: object, more: object = {}, labels: object = {}): [string, object] => [
  `${CORE}/shop/pods`,
  { metadata: { name, annotations, labels }, spec: spec(more) },
];
const account = (name: string): [string, object] => [`${CORE}/shop/serviceaccounts`, { metadata: { name } }];
const deployment = (name: string, annotations: object): [string, object] => {
  const labels = { app: name };
  const template = { metadata: { labels, annotations }, spec: spec({ serviceAccountName: 'orders' }) };
  return [
    `${APPS}/shop/deployments`,
    { metadata: { name }, spec: { selector: { matchLabels: labels }, template } },
  ];
};
const subject = { kind: 'ServiceAccount', name: 'mallory', namespace: 'shop' };
const clusterRole = (rule: object): [string, object] => [
  `${RBAC}/clusterroles`,
  { metadata: { name: 'extra' }, rules: [rule] },
];
const bound = (to: object, role = 'extra'): [string, object] => [
  `${RBAC}/clusterrolebindings`,
  {
    metadata: { name: 'extra' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [to],
  },
];
const broker = { kind: 'ServiceAccount', name: 'signet-broker', namespace: 'signet' };
const reviewer = { ...broker, name: 'vault-reviewer' };
const group = (name: string) => ({ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name });
const rule = (apiGroup: string, resource: string, ...verbs: string[]) => ({
  ...{ apiGroups: [apiGroup], resources: [resource], verbs },
});

const stranger = Buffer.from((await createCa()).pem).toString('base64');
const selector = '/webhooks/0/namespaceSelector/matchExpressions/0/values';
const aside = ['kube-system', 'kube-public', 'kube-node-lease', 'signet'];

const CASES: readonly Case[] = [
  changed(
    ...(['a broker that is not ready', `${BROKER}/status`] as const),
    [{ status: { readyReplicas: 1 } }, { status: { readyReplicas: 2 } }],
    ['fault broker.ready'],
    /Deployment signet\/signet-broker has 1 of 2 replicas ready/,
  ),
  changed(
    ...(['one broker', BROKER] as const),
    [{ spec: { replicas: 1 } }, { spec: { replicas: 2 } }],
    ['fault broker.replicas'],
    /spec\.replicas 1/,
  ),
  changed(
    ...(['an image by its tag', BROKER] as const),
    field('/spec/template/spec/containers/0/image', 'signet:0.1.0', IMAGE),
    ['warning broker.image'],
    /container broker runs the image signet:0\.1\.0/,
  ),
  changed(
    ...([
      'a budget for others',
      '/apis/policy/v1/namespaces/signet/poddisruptionbudgets/signet-broker',
    ] as const),
    field('/spec/selector/matchLabels/app.kubernetes.io~1name', 'other', 'signet-broker'),
    ['fault broker.budget'],
    /no PodDisruptionBudget/,
  ),
  changed(
    ...(['a webhook that fails open', MUTATING] as const),
    field('/webhooks/0/failurePolicy', 'Ignore', 'Fail'),
    ['fault webhook.failure-policy'],
    /MutatingWebhookConfiguration signet-injector, webhook inject\S+ failurePolicy is Ignore/,
  ),
  changed(
    ...(['a webhook that is waited for long', VALIDATING] as const),
    field('/webhooks/0/timeoutSeconds', 30, 5),
    ['fault webhook.timeout'],
    /ValidatingWebhookConfiguration \S+ webhook \S+ timeoutSeconds is 30/,
  ),
  changed(
    ...(['a webhook that leads elsewhere', VALIDATING] as const),
    field('/webhooks/0/clientConfig/service/name', 'mallory', 'signet-broker'),
    ['fault webhook.elsewhere', 'fault webhook.refused'],
    /leads to Service signet\/mallory, path \/admission\/validate, and not/,
  ),
  changed(
    ...(["a webhook that is asked about the broker's own namespace", MUTATING] as const),
    field(selector, ['kube-public'], aside),
    ['fault webhook.own-namespace'],
    /takes in signet and kube-system/,
  ),
  changed(
    ...(['a webhook that leaves out a namespace', VALIDATING] as const),
    field(selector, [...aside, 'shop'], aside),
    ['fault webhook.missed-namespace'],
    /leaves out shop/,
  ),
  changed(
    ...(['an injector that is asked about no pod that it should be', MUTATING] as const),
    field('/webhooks/0/rules/0/resources', ['configmaps'], ['pods']),
    ['fault webhook.rules', 'fault webhook.not-injected'],
    /rules name no CREATE of pods/,
  ),
  changed(
    ...(['a webhook for some pods', VALIDATING] as const),
    [
      [{ op: 'add', path: '/webhooks/0/objectSelector', value: { matchLabels: { a: 'b' } } }],
      [{ op: 'add', path: '/webhooks/0/objectSelector', value: {} }],
    ],
    ['warning webhook.object-selector'],
    /objectSelector is \{"matchLabels":\{"a":"b"\}\}/,
  ),
  {
    title: 'a caBundle of somebody else',
    make: [
      [
        'PATCH',
        MUTATING,
        [{ op: 'copy', from: '/webhooks/0/clientConfig/caBundle', path: '/metadata/annotations/kept' }],
      ],
      ['PATCH', MUTATING, field('/webhooks/0/clientConfig/caBundle', stranger, '')[0]],
    ],
    undo: [
      [
        'PATCH',
        MUTATING,
        [{ op: 'move', from: '/metadata/annotations/kept', path: '/webhooks/0/clientConfig/caBundle' }],
      ],
    ],
    gives: ['fault webhook.untrusted'],
    says: /as a dry run, was refused: .*x509/,
  },
  changed(
    ...(['the label on kube-system', `${CORE}/kube-system`] as const),
    [
      {
        metadata: {
          labels: { 'signet/inject': 'enabled', 'pod-security.kubernetes.io/enforce': 'baseline' },
        },
      },
      { metadata: { labels: { 'signet/inject': null, 'pod-security.kubernetes.io/enforce': null } } },
    ],
    ['fault namespace.aside'],
    /Namespace kube-system is labelled/,
  ),
  changed(
    ...(['a namespace without a Pod Security level', `${CORE}/shop`] as const),
    [
      { metadata: { labels: { 'pod-security.kubernetes.io/enforce': null } } },
      { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } } },
    ],
    ['warning namespace.level'],
    /Namespace shop has \S+ not set/,
  ),
  extra(
    'a Deployment that wants the redirect where it may not have it',
    [deployment('orders', { 'signet/inject': 'true', 'signet/redirect': 'true' })],
    ['fault namespace.redirect'],
    /enforce restricted, and its Deployments orders ask for signet\/redirect/,
  ),
  extra(
    'two Deployments under one account',
    [deployment('orders', { 'signet/inject': 'true' }), deployment('stock', { 'signet/inject': 'true' })],
    ['warning identity.shared-account'],
    /ServiceAccount shop\/orders runs the Deployments orders, stock/,
  ),
  extra(
    'a pod that does not ask',
    [pod('quiet', {})],
    ['warning pod.aside'],
    /pods quiet have no sidecar: no annotation signet\/inject/,
  ),
  extra(
    'a pod that says no',
    [pod('quiet', { 'signet/inject': 'false' })],
    ['warning pod.aside'],
    /signet\/inject false/,
  ),
  extra(
    'injected pods under the default account',
    [pod('orders-0', { 'signet/inject': 'true' })],
    ['fault identity.default-account'],
    /ServiceAccount shop\/default runs the injected pods orders-0/,
  ),
  extra(
    'a Service over two accounts',
    [
      ...[account('orders'), account('stock')],
      pod('orders-0', { 'signet/inject': 'true' }, { serviceAccountName: 'orders' }, { tier: 'back' }),
      pod('stock-0', { 'signet/inject': 'true' }, { serviceAccountName: 'stock' }, { tier: 'back' }),
      [
        `${CORE}/shop/services`,
        { metadata: { name: 'back' }, spec: { selector: { tier: 'back' }, ports: [{ port: 80 }] } },
      ],
    ],
    ['fault identity.mixed-service'],
    /Service shop\/back selects pods of the accounts orders, stock/,
  ),
  extra(
    'a Service that names no account of its pods',
    [
      account('orders'),
      pod('orders-0', { 'signet/inject': 'true' }, { serviceAccountName: 'orders' }, { tier: 'back' }),
      [
        `${CORE}/shop/services`,
        {
          metadata: { name: 'back', annotations: { 'signet/service-accounts': 'order, stock' } },
          spec: { selector: { tier: 'back' }, ports: [{ port: 80 }] },
        },
      ],
    ],
    ['fault identity.other-account'],
    /Service shop\/back selects pods of the accounts orders, and its annotation signet\/service-accounts names order, stock/,
  ),
  extra(
    'a token Secret',
    [
      account('orders'),
      [
        `${CORE}/shop/secrets`,
        {
          metadata: { name: 'old', annotations: { 'kubernetes.io/service-account.name': 'orders' } },
          type: 'kubernetes.io/service-account-token',
        },
      ],
    ],
    ['fault identity.token-secret'],
    /Secret shop\/old holds a token of ServiceAccount orders/,
  ),
  extra(
    'a sidecar of another image',
    [
      account('orders'),
      pod(
        'orders-0',
        {},
        {
          serviceAccountName: 'orders',
          initContainers: [{ ...sidecar, image: 'signet:old' }],
        },
      ),
    ],
    ['warning pod.old-sidecar'],
    /pods orders-0 run the sidecar signet:old/,
  ),
  extra(
    'a broker that may do everything',
    [clusterRole(rule('*', '*', '*')), bound(broker)],
    ['fault rights.broker'],
    /ClusterRoleBinding extra, by ClusterRole extra, gives ServiceAccount signet\/signet-broker more than brokers use: \* \*/,
  ),
  extra(
    'a broker that may read secrets',
    [clusterRole(rule('', 'secrets', 'get')), bound(broker)],
    ['fault rights.broker'],
    /get secrets/,
  ),
  extra(
    "somebody else with the broker's role",
    [bound(subject, 'signet-broker')],
    ['fault rights.shared-role', 'warning rights.webhooks', 'warning rights.token-reviews'],
    /binds ClusterRole signet-broker to ServiceAccount shop\/mallory/,
  ),
  extra(
    'somebody who asks whose tokens are, other than an account beside the brokers',
    [
      clusterRole(rule('authentication.k8s.io', 'tokenreviews', 'create')),
      bound(reviewer),
      [`${RBAC}/clusterrolebindings`, { ...bound(subject)[1], metadata: { name: 'other' } }],
    ],
    ['warning rights.token-reviews'],
    /\(tokenreviews\): ServiceAccount shop\/mallory \(ClusterRoleBinding other\)$/,
  ),
  extra(
    'somebody who makes tokens',
    [clusterRole(rule('', 'serviceaccounts/token', 'create')), bound(subject)],
    ['warning rights.tokens'],
    /serviceaccounts\/token\): ServiceAccount shop\/mallory \(ClusterRoleBinding extra\)/,
  ),
  extra(
    'everybody who may run pods',
    [clusterRole(rule('', 'pods', 'create')), bound(group('system:authenticated'))],
    ['fault rights.broker', 'fault rights.pods'],
    /Group system:authenticated \(ClusterRoleBinding extra\)/,
  ),
  extra(
    'somebody who acts as others',
    [clusterRole(rule('', 'users', 'impersonate')), bound(subject)],
    ['warning rights.impersonate'],
    /impersonate/,
  ),
  extra(
    'somebody who gives himself rights',
    [clusterRole(rule('rbac.authorization.k8s.io', 'clusterroles', 'bind')), bound(subject)],
    ['warning rights.escalate'],
    /escalate, bind/,
  ),
  extra(
    'a cluster open to anybody',
    [clusterRole(rule('', 'configmaps', 'get')), bound(group('system:unauthenticated'))],
    ['fault rights.anonymous'],
    /gives ClusterRole extra to whoever does not say who he is/,
  ),
];

describe('signet k8s check, at a real API server', function () {
  this.timeout(60_000);
  let api: ApiServer;
  before(async () => {
    api = await startCheckedCluster();
  });
  after(() => api?.[Symbol.asyncDispose]());

  const check = async (): Promise<ClusterReport> => {
    using opened = await openKubernetes('cluster', { kind: 'kubeconfig', file: api.kubeconfig });
    const looked = await lookAt(opened, 'signet');
    assert.ok(!('unreachable' in looked));
    return judgeCluster(looked, new Date());
  };
  const idsOf = ({ findings, warnings }: ClusterReport) => [
    ...findings.map(({ id }) => `fault ${id}`),
    ...warnings.map(({ id }) => `warning ${id}`),
  ];

  it('finds nothing in a cluster that is as the chart makes it, and exits 0', async () => {
    const ran = await signet(['k8s', 'check', '--kubeconfig', api.kubeconfig]);
    assert.deepEqual(ran, { status: 0, stdout: 'no faults, 0 warnings\n', stderr: '' });
  });

  for (const { title, make, undo, gives, says } of CASES) {
    it(`tells of ${title}`, async () => {
      for (const step of make) await send(api, ...step);
      try {
        const report = await check();
        assert.deepEqual(idsOf(report), gives, JSON.stringify(report, null, 2));
        const settings = [...report.findings, ...report.warnings].map(({ setting }) => setting);
        assert.match(settings.join('\n'), says);
      } finally {
        for (const step of undo) await send(api, ...step);
      }
    });
  }

  it('is as it was after all of them', async () => {
    assert.deepEqual(await check(), { findings: [], warnings: [] });
  });

  it('finds nothing wrong with what a real broker keeps and answers', async () => {
    await using stage = await createAdmissionStage();
    await stage.createNamespace('shop');
    const file = stage.server.kubeconfig;
    using opened = await openKubernetes('cluster', { kind: 'kubeconfig', file });
    // the broker writes caBundle within its first moments
    await until(async () => (await stage.caBundles()).every((each) => each !== ''));
    const looked = await lookAt(opened, 'signet');
    assert.ok(!('unreachable' in looked));
    assert.deepEqual(looked.trial, { seen: { namespace: 'shop', outcome: 'injected', says: '' } });
    // it is a process beside the API server: there is no Deployment, and the webhooks name its address and leave no namespace out
    const told = [...new Set(idsOf(judgeCluster(looked, new Date())))];
    assert.deepEqual(told, ['fault broker.none', 'fault webhook.elsewhere', 'fault webhook.own-namespace']);
  });

  it('says with --json the same, and exits 1', async () => {
    const ran = await signet(['k8s', 'check', '--namespace', 'elsewhere', '--json'], {
      env: { KUBECONFIG: api.kubeconfig },
    });
    assert.equal(ran.status, 1, ran.stderr);
    const report = JSON.parse(ran.stdout) as ClusterReport;
    assert.ok(idsOf(report).includes('fault broker.none'), ran.stdout);
    for (const each of report.findings)
      assert.deepEqual(Object.keys(each), ['id', 'setting', 'allows', 'fix']);
  });

  describe('without rights', () => {
    let dir: string;
    before(async () => {
      dir = await mkdtemp(join(tmpdir(), 'signet-check-'));
    });
    after(() => rm(dir, { recursive: true, force: true }));

    const kubeconfig = async (server: string, token: string) => {
      const file = join(dir, 'kubeconfig');
      const cluster = { server, 'certificate-authority-data': Buffer.from(api.caCert).toString('base64') };
      await writeFile(
        file,
        JSON.stringify({
          ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'x' },
          clusters: [{ name: 'c', cluster }],
          users: [{ name: 'u', user: { token } }],
          contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
        }),
      );
      return file;
    };

    it('tells each thing that it could not look at, and why', async () => {
      const token = (await api.kubectl('-n', 'shop', 'create', 'token', 'default')).trim();
      const ran = await signet(['k8s', 'check', '--json', '--kubeconfig', await kubeconfig(api.url, token)]);
      assert.equal(ran.status, 1, ran.stderr);
      const { findings, warnings } = JSON.parse(ran.stdout) as ClusterReport;
      assert.deepEqual([...new Set(findings.map(({ id }) => id))], ['unseen']);
      assert.deepEqual(warnings, []);
      const unseen = findings.map(
        ({ setting }) => /^could not look at (.*?), because .*HTTP 403.*cannot/.exec(setting)?.[1],
      );
      assert.deepEqual(unseen, [
        ...[
          'the namespaces',
          'the nodes',
          'Deployment signet/signet-broker',
          'the disruption budgets of signet',
        ],
        ...[
          'the mutating webhooks',
          'the validating webhooks',
          'a token for the audience signet, of signet/default',
        ],
        ...[
          'a pod with a native sidecar in signet, as a dry run',
          'the cluster roles',
          'the cluster role bindings',
        ],
        ...['the roles', 'the role bindings', 'the pods of signet', 'the Deployments of signet'],
        ...['the Services of signet', 'the token Secrets of signet'],
      ]);
    });

    it('tells of an API server that does not answer, once', async () => {
      const ran = await signet([
        'k8s',
        'check',
        '--kubeconfig',
        await kubeconfig('https://127.0.0.1:1', 'x'),
      ]);
      assert.equal(ran.status, 1, ran.stderr);
      assert.match(ran.stdout, /^fault server\.unreachable\n.*ECONNREFUSED/);
      assert.match(ran.stdout, /\n1 fault, 0 warnings\n$/);
    });

    const wrong: [title: string, args: string[], says: RegExp][] = [
      [
        'a kubeconfig that there is not',
        ['--kubeconfig', '/nowhere/kubeconfig'],
        /\/nowhere\/kubeconfig: .*ENOENT/,
      ],
      ['a context that there is not', ['--context', 'other'], /kubeconfig: .*no such context/],
      ['a flag that there is not', ['--contexts', 'other'], /unknown option/],
    ];
    for (const [title, args, says] of wrong) {
      it(`names ${title}, and exits 2`, async () => {
        const ran = await signet(['k8s', 'check', ...args], { env: { KUBECONFIG: api.kubeconfig } });
        assert.equal(ran.status, 2, ran.stdout);
        assert.match(ran.stderr, says);
      });
    }
  });
});
