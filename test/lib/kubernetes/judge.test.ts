import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  judgeCluster,
  type Pod,
  type Snapshot,
  type WebhookConfiguration,
} from '../../../lib/kubernetes/index.ts';
import { createCa } from '../../support/ca.ts';

const now = new Date();
const day = (n: number) => new Date(now.getTime() + n * 86_400_000);
const bundle = async (validity: { notBefore?: Date; notAfter?: Date } = {}) =>
  Buffer.from((await createCa('example.org', validity)).pem).toString('base64');
const [trusted, expired] = [await bundle(), await bundle({ notBefore: day(-9), notAfter: day(-1) })];

const IMAGE = `signet@sha256:${'0'.repeat(64)}`;
const enabled = { 'signet/inject': 'enabled', 'pod-security.kubernetes.io/enforce': 'restricted' };
const asks = { 'signet/inject': 'true' };
const seen = <T>(it: T) => ({ seen: it });

function webhooks(path: string, caBundle = trusted): WebhookConfiguration {
  const service = { name: 'signet-broker', namespace: 'signet', path };
  const aside = { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['kube-system', 'signet'] };
  return {
    metadata: { name: 'signet-injector', creationTimestamp: day(-3).toISOString() },
    webhooks: [
      {
        ...{ name: 'w', clientConfig: { caBundle, service }, failurePolicy: 'Fail', sideEffects: 'None' },
        timeoutSeconds: 5,
        namespaceSelector: { matchLabels: { 'signet/inject': 'enabled' }, matchExpressions: [aside] },
        rules: [{ operations: ['CREATE', 'UPDATE'], resources: ['pods'] }],
      },
    ],
  };
}

const nothing = { pods: seen([]), deployments: seen([]), services: seen([]), tokenSecrets: seen([]) };
const labels = { app: 'broker' };

const good: Snapshot = {
  namespace: 'signet',
  version: seen('v1.34.4'),
  nodes: seen([{ metadata: { name: 'one' }, status: { nodeInfo: { kubeletVersion: 'v1.29.0' } } }]),
  nativeSidecars: seen(true),
  audiences: seen(['signet']),
  namespaces: seen([{ metadata: { name: 'shop', labels: enabled } }, { metadata: { name: 'signet' } }]),
  broker: seen({
    spec: {
      replicas: 2,
      template: { metadata: { labels }, spec: { containers: [{ name: 'broker', image: IMAGE }] } },
    },
    status: { readyReplicas: 2 },
  }),
  budgets: seen([{ spec: { selector: { matchLabels: labels } } }]),
  mutating: seen([webhooks('/admission/mutate')]),
  validating: seen([webhooks('/admission/validate')]),
  trial: seen({ namespace: 'shop', outcome: 'injected', says: '' }),
  rbac: { clusterRoles: seen([]), clusterRoleBindings: seen([]), roles: seen([]), roleBindings: seen([]) },
  spaces: { signet: nothing, shop: nothing },
};

const shop = (...pods: Pod[]): Partial<Snapshot> => ({
  spaces: { signet: nothing, shop: { ...nothing, pods: seen(pods) } },
});
const pod = (name: string, more: Pod = {}): Pod => ({
  ...more,
  metadata: { name, creationTimestamp: day(-1).toISOString(), annotations: asks, ...more.metadata },
});
const injected = (status: NonNullable<Pod['status']>): Pod =>
  pod('orders-0', {
    spec: { serviceAccountName: 'orders', initContainers: [{ name: 'signet-sidecar', image: IMAGE }] },
    status,
  });
const waits = (more: object): NonNullable<Pod['status']> => ({
  initContainerStatuses: [{ name: 'signet-sidecar', ready: false, ...more }],
});
const labelledYesterday = seen([
  {
    metadata: {
      ...{ name: 'shop', labels: enabled },
      managedFields: [
        {
          time: day(0).toISOString(),
          fieldsV1: { 'f:metadata': { 'f:labels': { 'f:signet/inject': {} } } },
        },
      ],
    },
  },
]);
const unreadable = { what: 'the nodes', unseen: 'GET /api/v1/nodes: HTTP 403' };
const role = (
  name: string,
  namespace: string,
  verbs: string[],
  resources: string[],
  resourceNames?: string[],
) => ({
  metadata: { name, namespace },
  rules: [{ apiGroups: [''], resources, verbs, ...(resourceNames === undefined ? {} : { resourceNames }) }],
});
const binding = (name: string, namespace: string, subject: object) => ({
  metadata: { name, namespace },
  roleRef: { kind: 'Role', name },
  subjects: [subject],
});
const mallory = { kind: 'User', name: 'mallory\u001b[2J' };
const local = (...of: [string, string[], string[], string[]?]): Partial<Snapshot> => {
  const [namespace, verbs, resources, names] = of;
  return {
    rbac: {
      ...good.rbac,
      roles: seen([role('r', namespace, verbs, resources, names)]),
      roleBindings: seen([binding('r', namespace, mallory)]),
    },
  };
};

const cases: [title: string, change: Partial<Snapshot>, gives: string[], says: RegExp][] = [
  [
    'a server from before native sidecars',
    { version: seen('v1.28.9') },
    ['server.version'],
    /v1\.28\.9, older than 1\.29/,
  ],
  ['a version that cannot be read', { version: seen('?') }, ['server.version'], /is \?/],
  [
    'an old kubelet',
    { nodes: seen([{ metadata: { name: 'two' }, status: { nodeInfo: { kubeletVersion: 'v1.27.1' } } }]) },
    ['node.version'],
    /two \(v1\.27\.1\)/,
  ],
  [
    'native sidecars that are off',
    { nativeSidecars: seen(false) },
    ['server.native-sidecars'],
    /SidecarContainers/,
  ],
  [
    'a token for another audience',
    { audiences: seen(['signet', 'api']) },
    ['server.token-audience'],
    /signet, api/,
  ],
  ['a token for nobody', { audiences: seen([]) }, ['server.token-audience'], /audiences none/],
  [
    'no brokers',
    { broker: seen(undefined) },
    ['broker.none'],
    /Deployment signet\/signet-broker does not exist/,
  ],
  [
    'something that could not be looked at',
    { nodes: unreadable },
    ['unseen'],
    /could not look at the nodes, because .*403/,
  ],
  ['no injector', { mutating: seen([]) }, ['webhook.mutating'], /no MutatingWebhookConfiguration/],
  [
    'no validating side',
    { validating: seen([]) },
    ['webhook.validating'],
    /no ValidatingWebhookConfiguration/,
  ],
  [
    'an empty caBundle',
    { mutating: seen([webhooks('/admission/mutate', '')]) },
    ['webhook.ca-bundle'],
    /is empty/,
  ],
  [
    'a caBundle that is none',
    { mutating: seen([webhooks('/admission/mutate', 'AAAA')]) },
    ['webhook.ca-bundle'],
    /cannot be read/,
  ],
  [
    'a caBundle that ran out',
    { mutating: seen([webhooks('/admission/mutate', expired)]) },
    ['webhook.ca-bundle'],
    /valid now/,
  ],
  [
    'a webhook that is refused',
    { trial: seen({ namespace: 'shop', outcome: 'refused', says: 'failed calling webhook: no endpoints' }) },
    ['webhook.refused'],
    /no endpoints/,
  ],
  ['no namespace that opted in', { namespaces: seen([]) }, ['namespace.none'], /no Namespace is labelled/],
  [
    'a pod on the node itself',
    shop(pod('host', { spec: { hostNetwork: true } })),
    ['pod.no-sidecar'],
    /pods host ask for a sidecar and have none: hostNetwork/,
  ],
  [
    'a pod from before the label',
    { ...shop(pod('early')), namespaces: labelledYesterday },
    ['pod.no-sidecar'],
    /made before the namespace was labelled/,
  ],
  [
    'a pod from before the webhook',
    shop(pod('early', { metadata: { name: 'early', creationTimestamp: day(-9).toISOString() } })),
    ['pod.no-sidecar'],
    /made before the webhook was/,
  ],
  ['a pod that was let by', shop(pod('late')), ['pod.no-sidecar'], /brokers were not asked/],
  ['a pod that is over', shop(pod('done', { status: { phase: 'Succeeded' } })), [], /^$/],
  ['a sidecar that is ready', shop(injected(waits({ ready: true }))), [], /^$/],
  ['a sidecar without an SVID', shop(injected(waits({ state: {} }))), ['pod.waits'], /has no SVID yet/],
  [
    'a sidecar that ends again and again',
    shop(
      injected(
        waits({
          state: { waiting: { reason: 'CrashLoopBackOff' } },
          lastState: { terminated: { exitCode: 2, message: 'no_entry' } },
        }),
      ),
    ),
    ['pod.waits'],
    /Pod shop\/orders-0 .*CrashLoopBackOff, ended with 2, no_entry/,
  ],
  [
    'somebody who runs pods beside the broker',
    local('signet', ['create'], ['pods']),
    ['rights.pods'],
    /User mallory \[2J in signet/,
  ],
  ['somebody who runs pods elsewhere', local('shop', ['create'], ['pods']), [], /^$/],
  [
    'somebody who makes tokens of one account',
    local('shop', ['create'], ['*/token'], ['orders']),
    ['rights.tokens'],
    /in shop/,
  ],
  [
    "somebody who reads the broker's Secrets",
    local('signet', ['*'], ['secrets']),
    ['rights.secrets'],
    /mallory/,
  ],
];

describe('a cluster is judged', () => {
  it('fit, when it is', () => {
    assert.deepEqual(judgeCluster(good, now), { findings: [], warnings: [] });
  });
  for (const [title, change, gives, says] of cases) {
    it(`and ${title} is ${gives.length === 0 ? 'nothing to tell' : 'told'}`, () => {
      const { findings, warnings } = judgeCluster({ ...good, ...change }, now);
      const all = [...findings, ...warnings];
      assert.deepEqual(
        all.map(({ id }) => id),
        gives,
      );
      assert.match(all.map(({ setting }) => setting).join('\n'), says);
      for (const each of all) assert.doesNotMatch(Object.values(each).join(''), /\p{Cc}/u);
    });
  }
});
