import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ApiServer, startApiServer } from '../../harness/kubernetes/api-server.ts';
import { hostEntry, openSite, type Site, type TestBroker } from '../broker/site.ts';
import { RULES, webhookConfigurations } from './admission-objects.ts';

/** A real API server whose webhooks are a real broker beside a real Vault, by what the broker's service account may do and no more. */
export interface AdmissionStage extends AsyncDisposable {
  readonly server: ApiServer;
  readonly site: Site;
  readonly broker: TestBroker;
  /** Starts another broker at the same cluster. */
  startBroker(env?: Readonly<Record<string, string>>): Promise<TestBroker>;
  /** Points the webhooks at a broker. */
  pointTo(broker: TestBroker): Promise<void>;
  /** A namespace whose pods may be injected, under the restricted profile unless `labels` say otherwise. */
  createNamespace(
    name: string,
    annotations?: object,
    labels?: Readonly<Record<string, string>>,
  ): Promise<void>;
  caBundles(): Promise<string[]>;
}

export async function createAdmissionStage(injector: object = {}): Promise<AdmissionStage> {
  await using stack = new AsyncDisposableStack();
  const [server, site] = await Promise.all([startApiServer(), openSite()]);
  stack.defer(() => server.stop());
  stack.use(site);
  await server.createNamespace('signet');
  await server.createServiceAccount('signet', 'signet-broker');
  const role = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: 'signet-broker' } };
  await server.apply([
    { ...role, kind: 'ClusterRole', rules: RULES },
    {
      ...role,
      kind: 'ClusterRoleBinding',
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'signet-broker' },
      subjects: [{ kind: 'ServiceAccount', namespace: 'signet', name: 'signet-broker' }],
    },
  ]);
  const kubeconfig = await server.kubeconfigWith(await server.requestToken('signet', 'signet-broker'));
  const file = join(site.dir, 'injector.json');
  const config = {
    cluster: 'main',
    image: 'nowhere/signet:1',
    broker_url: 'https://signet-broker.signet.svc',
  };
  await writeFile(file, JSON.stringify({ ...config, ...injector }));
  const startBroker = (env: Readonly<Record<string, string>> = {}) =>
    site.startBroker({ SIGNET_KUBERNETES: `main=kubeconfig:${kubeconfig}`, SIGNET_INJECTOR: file, ...env });
  const pointTo = async ({ address }: TestBroker) =>
    void (await server.apply(webhookConfigurations((path) => ({ url: `https://${address}${path}` }))));
  const broker = await startBroker();
  await pointTo(broker);
  const owned = stack.move();
  return {
    ...{ server, site, broker, startBroker, pointTo },
    async createNamespace(name, annotations = {}, labels = RESTRICTED) {
      await server.createNamespace(name, { 'signet/inject': 'enabled', ...labels });
      await server.request('PATCH', `/api/v1/namespaces/${name}`, { metadata: { annotations } });
    },
    async caBundles() {
      const folder = '/apis/admissionregistration.k8s.io/v1';
      const kinds = ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'];
      const bundles = await Promise.all(
        kinds.map(async (kind) => {
          const { body } = await server.request('GET', `${folder}/${kind}/signet-injector`);
          return Buffer.from(body.webhooks[0].clientConfig.caBundle ?? '', 'base64').toString();
        }),
      );
      return bundles;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const RESTRICTED = { 'pod-security.kubernetes.io/enforce': 'restricted' };

/** What the restricted profile asks of an app. */
export function appSpec(more: object = {}): object {
  const securityContext = {
    runAsNonRoot: true,
    runAsUser: 1000,
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  };
  return { containers: [{ name: 'app', image: 'nowhere/app:1', securityContext }], ...more };
}

export const ordersEntry = hostEntry('orders', { 'k8s:ns': 'shop', 'k8s:sa': 'orders' });
