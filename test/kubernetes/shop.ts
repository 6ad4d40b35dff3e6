/** The objects of a small shop: `orders` answers, `web` and `thief` call. */

const hardened = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};
const asNobody = { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } };

/** Tells who called, by what the sidecar says. */
const ORDERS = `
  require('node:http').createServer((request, response) => {
    const { method, url, headers } = request;
    response.end(JSON.stringify({ method, url, caller: headers['x-signet-caller'] ?? null }) + '\\n');
  }).listen(8080, '127.0.0.1');`;
const WAIT = `process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1e6);`;

export function serviceAccount(name: string) {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: 'shop' } };
}

/** What a pod asks for: `signet/<name>` for each. */
type Asked = Readonly<Record<string, string>>;

function template(app: string, script: string, asked: Asked) {
  const annotations = Object.fromEntries(
    Object.entries({ inject: 'true', ...asked }).map(([name, value]) => [`signet/${name}`, value]),
  );
  return {
    metadata: { labels: { app }, annotations },
    spec: {
      serviceAccountName: app,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 3,
      securityContext: asNobody,
      containers: [
        {
          name: 'app',
          image: 'localhost/node:1',
          imagePullPolicy: 'Never',
          command: ['node', '-e', script],
          securityContext: hardened,
        },
      ],
    },
  };
}

export function ordersDeployment() {
  return deployment('orders', 2, template('orders', ORDERS, { inbound: '8080', upstreams: 'none' }));
}

/** An app that waits to be told, by `kubectl exec`, whom to call. Its proxy is the sidecar. */
export function callerDeployment(app: string) {
  return deployment(app, 1, template(app, WAIT, { 'proxy-env': 'true' }));
}

function deployment(name: string, replicas: number, pod: ReturnType<typeof template>) {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'shop' },
    spec: { replicas, selector: { matchLabels: { app: name } }, template: pod },
  };
}

/** A pod of its own, of the account `orders`. */
export function lonePod(name: string) {
  const { metadata, spec } = template('orders', WAIT, { upstreams: 'none', inbound: '8080' });
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    // not one of the Service's
    metadata: { ...metadata, name, namespace: 'shop', labels: { app: 'lone' } },
    spec,
  };
}

/** A pod that asks for nothing. */
export function plainPod(name: string) {
  const { metadata, ...pod } = lonePod(name);
  return { ...pod, metadata: { name, namespace: metadata.namespace } };
}

export function jobOf(name: string) {
  const { metadata, spec } = template('orders', 'process.exit(0)', { upstreams: 'none' });
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: 'shop' },
    spec: { backoffLimit: 0, template: { metadata, spec: { ...spec, restartPolicy: 'Never' } } },
  };
}

export const ordersService = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: 'orders',
    namespace: 'shop',
    annotations: { 'signet/service-accounts': 'orders' },
  },
  spec: { selector: { app: 'orders' }, ports: [{ port: 80, targetPort: 8080 }] },
};

export const ordersPolicy = [
  {
    name: 'web-reads',
    level: 'application',
    target: 'spiffe://example.org/ns/shop/sa/orders',
    effect: 'allow',
    mode: 'enforce',
    when: {
      all: [{ caller: { is: 'spiffe://example.org/ns/shop/sa/web' } }, { method: { is: 'GET' } }],
    },
  },
];
