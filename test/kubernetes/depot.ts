/** The objects of a depot beside the shop: its pods are redirected, and call `orders`. */

const ORDERS = 'spiffe://example.org/ns/shop/sa/orders';
export const WEB = 'spiffe://example.org/ns/shop/depot/web';

export const redirected = {
  'signet/inject': 'true',
  'signet/upstreams': 'services',
  'signet/redirect': 'true',
};

export const policy = {
  ...{ name: 'web-reads', level: 'application', target: ORDERS, effect: 'allow', mode: 'enforce' },
  when: { all: [{ caller: { is: WEB } }, { method: { is: 'GET' } }, { path: { like: '/orders/{id}' } }] },
};

export const ASK = `fetch(process.argv[1]).then(
  async (r) => ({ status: r.status, body: JSON.parse(await r.text() || 'null') }),
  (e) => ({ status: 0, body: e.cause?.code ?? String(e) }),
).then((heard) => console.log(JSON.stringify(heard)))`;

/** Asks the name server of the pod for `orders.shop.svc.cluster.local`; over TCP the length goes first. */
export const DNS_BY_TCP = `const [server] = require('dns').getServers();
const name = 'orders.shop.svc.cluster.local'.split('.').map((each) => String.fromCharCode(each.length) + each).join('');
const query = Buffer.from('\\x12\\x34\\x01\\0\\0\\x01\\0\\0\\0\\0\\0\\0' + name + '\\0\\0\\x01\\0\\x01', 'latin1');
const socket = require('net').connect(53, server, () => socket.write(Buffer.concat([Buffer.from([0, query.length]), query])));
socket.once('data', (heard) => {
  console.log(heard.readUInt16BE(2) === 0x1234 ? 'answered' : heard.toString('latin1'));
  socket.destroy();
})`;

export const waiting = `process.on('SIGTERM', () => process.exit()); setInterval(() => {}, 1e6)`;

/** Tells who its sidecar says calls. */
export function serving(address: string, ...ports: number[]): string {
  return `process.on('SIGTERM', () => process.exit());
    for (const port of ${JSON.stringify(ports)}) require('http').createServer((q, r) => {
      r.setHeader('content-type', 'application/json');
      r.end(JSON.stringify({ caller: q.headers['x-signet-caller'] ?? null, host: q.headers.host }));
    }).listen(port, '${address}')`;
}

export function namespace(name: string, enforce: string, annotations = {}) {
  const labels = { 'signet/inject': 'enabled', 'pod-security.kubernetes.io/enforce': enforce };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels, annotations } };
}

export function accounts(namespace: string, ...names: string[]) {
  return names.map((name) => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } }));
}

export function serviceOf(namespace: string, name: string) {
  const spec = { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec };
}

export function pod(
  namespace: string,
  name: string,
  annotations: Readonly<Record<string, string>>,
  script: string,
) {
  const confined = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
  const app = { name: 'app', image: 'localhost/node:1', imagePullPolicy: 'Never', securityContext: confined };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { app: name }, annotations },
    spec: {
      serviceAccountName: name,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 5,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [{ ...app, command: ['node', '-e', script] }],
    },
  };
}

/** As a pod is that says nothing of its user: root, with the capabilities that the runtime gives. */
export function rootly({ spec, ...rest }: ReturnType<typeof pod>) {
  const { securityContext, containers, ...others } = spec;
  return { ...rest, spec: { ...others, containers: containers.map(({ securityContext, ...each }) => each) } };
}
