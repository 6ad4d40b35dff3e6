import { type KubernetesApi, openKubernetes } from '../../lib/adapter/kubernetes/index.ts';

/** What a test does in a cluster, as its administrator. No kubelet runs: a pod is what is written of it. */
export interface Pods extends Disposable {
  readonly api: KubernetesApi;
  namespace(name: string, ...accounts: readonly string[]): Promise<void>;
  node(name: string): Promise<void>;
  /** A pod that is bound to `node`, where that is given. */
  pod(namespace: string, name: string, options?: PodOptions): Promise<MadePod>;
  /** As the kubelet reports it. */
  report(pod: MadePod, status: object): Promise<void>;
  /** Gone when its grace is over; with 0 at once, without its kubelet's word. */
  remove(pod: MadePod, graceSeconds?: number): Promise<void>;
  /** What a kubelet would put into the pod's file. */
  token(pod: MadePod, options?: { readonly audience?: string; readonly seconds?: number }): Promise<string>;
  /** A token of the account that is bound to nothing. */
  looseToken(namespace: string, account: string): Promise<string>;
  /** A token for the API server of an account that may do what a broker has to, and no more. */
  brokerToken(): Promise<string>;
}

export type PodOptions = {
  readonly account?: string;
  readonly node?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly image?: string;
  readonly finalizers?: readonly string[];
};

export type MadePod = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly account: string;
};

/** All that attestation asks of a cluster. */
const RULES = [
  { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
];

type Named = { readonly metadata: { readonly name: string; readonly uid: string } };

export async function openPods(kubeconfig: string): Promise<Pods> {
  const api = await openKubernetes('admin', { kind: 'kubeconfig', file: kubeconfig });
  const path = ({ namespace, name }: Pick<MadePod, 'namespace' | 'name'>) =>
    `/api/v1/namespaces/${namespace}/pods/${name}`;
  const tokenOf = async (namespace: string, account: string, spec: object): Promise<string> => {
    const made = await api.create<{ status: { token: string } }>(
      `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`,
      { spec },
    );
    return made.status.token;
  };
  const namespace: Pods['namespace'] = async (name, ...accounts) => {
    await api.create('/api/v1/namespaces', { metadata: { name } });
    for (const account of accounts)
      await api.create(`/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: account } });
  };
  return {
    api,
    namespace,
    node: async (name) => void (await api.create('/api/v1/nodes', { metadata: { name } })),
    async pod(namespace, name, { account = 'app', node, image = 'app', ...metadata } = {}) {
      const pod = await api.create<Named>(`/api/v1/namespaces/${namespace}/pods`, {
        metadata: { name, ...metadata },
        spec: {
          serviceAccountName: account,
          automountServiceAccountToken: false,
          containers: [{ name: 'app', image }],
        },
      });
      if (node !== undefined) {
        const target = { apiVersion: 'v1', kind: 'Node', name: node };
        await api.create(`${path({ namespace, name })}/binding`, { metadata: { name }, target });
      }
      return { namespace, name, uid: pod.metadata.uid, account };
    },
    report: async (pod, status) => void (await api.patch(`${path(pod)}/status`, { status })),
    async remove(pod, graceSeconds = 0) {
      const metadata = { name: pod.name, namespace: pod.namespace };
      const deleteOptions = { gracePeriodSeconds: graceSeconds };
      const kind = { apiVersion: 'policy/v1', kind: 'Eviction' };
      await api.create(`${path(pod)}/eviction`, { ...kind, metadata, deleteOptions });
    },
    token: ({ namespace, name, uid, account }, { audience = 'signet', seconds = 600 } = {}) =>
      tokenOf(namespace, account, {
        audiences: [audience],
        expirationSeconds: seconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      }),
    looseToken: (namespace, account) =>
      tokenOf(namespace, account, { audiences: ['signet'], expirationSeconds: 600 }),
    async brokerToken() {
      await namespace('signet', 'signet-broker');
      const rbac = '/apis/rbac.authorization.k8s.io/v1';
      const metadata = { name: 'signet-broker' };
      await api.create(`${rbac}/clusterroles`, { metadata, rules: RULES });
      await api.create(`${rbac}/clusterrolebindings`, {
        metadata,
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'signet-broker' },
        subjects: [{ kind: 'ServiceAccount', namespace: 'signet', name: 'signet-broker' }],
      });
      return await tokenOf('signet', 'signet-broker', { expirationSeconds: 3600 });
    },
    [Symbol.dispose]: () => (api as KubernetesApi & Disposable)[Symbol.dispose](),
  };
}
