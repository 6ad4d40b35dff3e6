import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Child } from '../child.ts';
import { freePort } from '../port.ts';
import { type Administrate, administrator, demanding } from './admin.ts';
import { type AuditEvent, readAudit, writeAuditPolicy } from './audit.ts';
import { runKubectl, startComponent, untilReady } from './component.ts';
import { startEtcd } from './etcd.ts';
import { type Objects, objectsOf } from './objects.ts';
import { createPki, kubeconfigOf, type Pki } from './pki.ts';

/** Of these addresses the first, `kubernetes.default.svc`, is the API server's. */
const SERVICE_CIDR = '10.96.0.0/16';
const API_SERVICE = '10.96.0.1';

export interface ApiServerOptions {
  /** The controller manager too: namespaces that end, Deployments, EndpointSlices, `kube-root-ca.crt`. */
  readonly controllers?: boolean;
  /** It listens on every address, and tells this one to pods; without it on 127.0.0.1 alone. */
  readonly advertise?: string;
  /** Further flags of the API server. */
  readonly flags?: Readonly<Record<string, string>>;
}

/** A real API server on its etcd, with RBAC, PodSecurity and an audit log. Stop it, or it lives until the test process ends. */
export interface ApiServer extends Objects, AsyncDisposable {
  /** `https://127.0.0.1:<port>` */
  readonly url: string;
  readonly port: number;
  /** PEM */
  readonly caCert: string;
  readonly caFile: string;
  /** `iss` of its service accounts' tokens; it serves OIDC discovery there. */
  readonly issuer: string;
  /** Its own folder, removed by `stop()`. */
  readonly folder: string;
  /** The administrator's file. */
  readonly kubeconfig: string;
  readonly pki: Pki;
  /** One call as the administrator. */
  readonly request: Administrate;
  /** As the administrator; what it printed. @throws with what it said when it fails */
  kubectl(...args: string[]): Promise<string>;
  /** `kubectl apply`, of objects or of YAML. */
  apply(what: string | readonly object[]): Promise<string>;
  /** A kubeconfig file of whom a token names. */
  kubeconfigWith(token: string): Promise<string>;
  /** The calls that it has answered so far. */
  audit(): Promise<AuditEvent[]>;
  /** What etcd, the API server and the controller manager said. */
  output(): string;
  /** Ends the API server alone; what it holds stays. */
  halt(): Promise<void>;
  /** Starts it again after `halt()`, at the same address. */
  resume(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts an API server and waits until it serves: about 5 s. */
export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'signet-kubernetes-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const port = await freePort();
  const url = `https://127.0.0.1:${port}`;
  const pki = await createPki(join(folder, 'pki'), url);
  const admin = await pki.user('admin', 'signet-test-admin', ['system:masters']);
  const etcd = stack.use(await startEtcd(join(folder, 'etcd')));
  const flags = { ...(await flagsOf(folder, pki, port, etcd.url, options)), ...options.flags };

  const launch = () => startComponent('kube-apiserver', flags, { cwd: folder });
  let server = await launch();
  stack.defer(async () => void (await server.stop()));
  const caller = administrator(url, pki.caCert, admin);
  stack.defer(caller.close);
  const demand = demanding(caller.send);
  const untilServing = () =>
    untilReady('kube-apiserver', server, async () => (await caller.send('GET', '/readyz')).status === 200);
  await untilServing();
  const objects = objectsOf(caller.send);
  let controllers: Child | undefined;
  if (options.controllers) {
    controllers = stack.use(await startControllers(folder, pki));
    const exists = (path: string) => async () => (await caller.send('GET', path)).status === 200;
    const made = exists('/api/v1/namespaces/default/configmaps/kube-root-ca.crt');
    await untilReady('kube-controller-manager', controllers, made);
    await untilReady(
      'kube-controller-manager',
      controllers,
      exists('/api/v1/namespaces/default/serviceaccounts/default'),
    );
  } else await objects.createServiceAccount('default', 'default');
  await demand('GET', '/api/v1/namespaces/default');

  const kubectl = (args: readonly string[], input?: string) =>
    runKubectl(admin.kubeconfig, folder, args, input);
  const owned = stack.move();
  let tokens = 0;
  return {
    ...objects,
    url,
    port,
    caCert: pki.caCert,
    caFile: pki.caFile,
    issuer: url,
    folder,
    kubeconfig: admin.kubeconfig,
    pki,
    request: caller.send,
    kubectl: (...args) => kubectl(args),
    apply: (what) =>
      kubectl(
        ['apply', '-f', '-'],
        typeof what === 'string' ? what : JSON.stringify({ apiVersion: 'v1', kind: 'List', items: what }),
      ),
    kubeconfigWith: async (token) => {
      const file = join(folder, `token-${(tokens += 1)}.kubeconfig`);
      await writeFile(file, kubeconfigOf(url, pki.caCert, { token }), { mode: 0o600 });
      return file;
    },
    audit: () => readAudit(join(folder, 'audit.log')),
    output: () =>
      [etcd, server, controllers].map((each) => (each ? each.stdout() + each.stderr() : '')).join(''),
    halt: async () => void (await server.stop()),
    resume: async () => {
      server = await launch();
      await untilServing();
    },
    stop: () => owned.disposeAsync(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function flagsOf(folder: string, pki: Pki, port: number, etcd: string, options: ApiServerOptions) {
  const { advertise } = options;
  const url = `https://127.0.0.1:${port}`;
  const names = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'localhost'];
  const served = await pki.server('kube-apiserver', [
    ...names,
    ...['127.0.0.1', API_SERVICE],
    ...(advertise === undefined ? [] : [advertise]),
  ]);
  // as such it asks kubelets for logs
  await pki.user('to-kubelet', 'kube-apiserver-kubelet-client', ['system:masters']);
  const policy = join(folder, 'audit-policy.json');
  await writeAuditPolicy(policy);
  await mkdir(join(folder, 'certificates'));
  return {
    'etcd-servers': etcd,
    'bind-address': advertise === undefined ? '127.0.0.1' : '0.0.0.0',
    'advertise-address': advertise ?? '127.0.0.1',
    'secure-port': String(port),
    'tls-cert-file': `${served}.crt`,
    'tls-private-key-file': `${served}.key`,
    'client-ca-file': pki.caFile,
    'cert-dir': join(folder, 'certificates'),
    'service-account-issuer': url,
    'service-account-jwks-uri': `${url}/openid/v1/jwks`,
    'service-account-key-file': `${pki.tokenKeyFile}.pub`,
    'service-account-signing-key-file': pki.tokenKeyFile,
    'api-audiences': `https://kubernetes.default.svc,${url}`,
    'service-cluster-ip-range': SERVICE_CIDR,
    'authorization-mode': 'Node,RBAC',
    'enable-admission-plugins': 'NodeRestriction',
    'kubelet-client-certificate': join(folder, 'pki', 'to-kubelet.crt'),
    'kubelet-client-key': join(folder, 'pki', 'to-kubelet.key'),
    'kubelet-certificate-authority': pki.caFile,
    'kubelet-preferred-address-types': 'InternalIP',
    'audit-policy-file': policy,
    'audit-log-path': join(folder, 'audit.log'),
    'allow-privileged': 'true',
    profiling: 'false',
    // as it ends, it waits neither for watches nor for its lease's time
    'shutdown-delay-duration': '0s',
    'endpoint-reconciler-type': advertise === undefined ? 'none' : 'lease',
  };
}

async function startControllers(folder: string, pki: Pki): Promise<Child> {
  const { kubeconfig } = await pki.user('kube-controller-manager', 'system:kube-controller-manager');
  const certificates = join(folder, 'controllers');
  await mkdir(certificates);
  return startComponent(
    'kube-controller-manager',
    {
      kubeconfig,
      'bind-address': '127.0.0.1',
      'secure-port': '0',
      'cert-dir': certificates,
      'leader-elect': 'false',
      'use-service-account-credentials': 'true',
      'service-account-private-key-file': pki.tokenKeyFile,
      'root-ca-file': pki.caFile,
      'allocate-node-cidrs': 'false',
      'service-cluster-ip-range': SERVICE_CIDR,
      profiling: 'false',
    },
    { cwd: folder },
  );
}
