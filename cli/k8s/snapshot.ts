import { type KubernetesApi, KubernetesError } from '../../lib/adapter/kubernetes/index.ts';
import {
  BROKER,
  type Deployment,
  isOptedIn,
  type Look,
  type Namespace,
  type Secret,
  type Snapshot,
  type Space,
} from '../../lib/kubernetes/index.ts';
import { tokenAudiences, triedPod, tryNativeSidecar } from './dry-runs.ts';

/** Namespaces that are looked into at once. */
const AT_ONCE = 8;

/** Everything that is judged, as far as it may be looked at. */
export async function lookAt(
  api: KubernetesApi,
  namespace: string,
): Promise<Snapshot | { readonly unreachable: string }> {
  const version = await look('the version of the API server', async () => {
    const { gitVersion } = await api.get<{ gitVersion?: unknown }>('/version');
    return String(gitVersion);
  });
  if ('unseen' in version && version.away) return { unreachable: version.unseen };
  const list = <T>(what: string, path: string): Promise<Look<readonly T[]>> =>
    look(what, async () => (await api.list<T>(path)).items);
  const admission = '/apis/admissionregistration.k8s.io/v1';
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const namespaces = await list<Namespace>('the namespaces', '/api/v1/namespaces');
  const opted = ('seen' in namespaces ? namespaces.seen.filter(isOptedIn) : []).map(
    ({ metadata }) => metadata?.name ?? '',
  );
  return {
    namespace,
    version,
    namespaces,
    nodes: await list('the nodes', '/api/v1/nodes'),
    broker: await look(`Deployment ${namespace}/${BROKER}`, () => deploymentOf(api, namespace)),
    budgets: await list(
      `the disruption budgets of ${namespace}`,
      `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`,
    ),
    mutating: await list('the mutating webhooks', `${admission}/mutatingwebhookconfigurations`),
    validating: await list('the validating webhooks', `${admission}/validatingwebhookconfigurations`),
    rbac: {
      clusterRoles: await list('the cluster roles', `${rbac}/clusterroles`),
      clusterRoleBindings: await list('the cluster role bindings', `${rbac}/clusterrolebindings`),
      roles: await list('the roles', `${rbac}/roles`),
      roleBindings: await list('the role bindings', `${rbac}/rolebindings`),
    },
    spaces: await spacesOf(api, [...new Set([namespace, ...opted])]),
    audiences: await look(`a token for the audience signet, of ${namespace}/default`, () =>
      tokenAudiences(api, namespace),
    ),
    nativeSidecars: await look(`a pod with a native sidecar in ${namespace}, as a dry run`, () =>
      tryNativeSidecar(api, namespace),
    ),
    trial: await trialIn(api, namespace, opted),
  };
}

async function trialIn(
  api: KubernetesApi,
  own: string,
  opted: readonly string[],
): Promise<Snapshot['trial']> {
  const namespace = opted.find((name) => name !== own && name !== 'kube-system');
  if (namespace === undefined) return undefined;
  return look(`a pod that asks for a sidecar in ${namespace}, as a dry run`, () => triedPod(api, namespace));
}

async function deploymentOf(api: KubernetesApi, namespace: string): Promise<Deployment | undefined> {
  try {
    return await api.get<Deployment>(`/apis/apps/v1/namespaces/${namespace}/deployments/${BROKER}`);
  } catch (error) {
    if (error instanceof KubernetesError && error.code === 'K8S_NOT_FOUND') return undefined;
    throw error;
  }
}

async function spacesOf(api: KubernetesApi, names: readonly string[]): Promise<Record<string, Space>> {
  const spaces: Record<string, Space> = {};
  const waiting = [...names];
  const work = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift())
      spaces[name] = await spaceOf(api, name);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return Object.fromEntries(names.map((name) => [name, spaces[name]!]));
}

async function spaceOf(api: KubernetesApi, name: string): Promise<Space> {
  const list = <T>(what: string, path: string): Promise<Look<readonly T[]>> =>
    look(`the ${what} of ${name}`, async () => (await api.list<T>(path)).items);
  const core = `/api/v1/namespaces/${name}`;
  return {
    pods: await list('pods', `${core}/pods`),
    deployments: await list('Deployments', `/apis/apps/v1/namespaces/${name}/deployments`),
    services: await list('Services', `${core}/services`),
    tokenSecrets: await look(`the token Secrets of ${name}`, () => tokenSecretsOf(api, core)),
  };
}

/** Only those of that type are asked for; what they hold is dropped here. */
async function tokenSecretsOf(api: KubernetesApi, core: string): Promise<Secret[]> {
  const { items } = await api.list<Secret>(`${core}/secrets`, {
    fieldSelector: 'type=kubernetes.io/service-account-token',
  });
  return items.map(({ metadata }) => ({
    metadata: {
      ...{ name: metadata?.name ?? '', namespace: metadata?.namespace ?? '' },
      annotations: metadata?.annotations ?? {},
    },
  }));
}

/** `away`: nobody answered; the rest will not be answered either. */
type Missed = { readonly what: string; readonly unseen: string; readonly away: boolean };

async function look<T>(what: string, see: () => Promise<T>): Promise<{ readonly seen: T } | Missed> {
  try {
    return { seen: await see() };
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    const says = error.says.reveal();
    const why = `${error.message.replace(/^cluster: /, '')}${says === '' ? '' : `: ${says}`}`;
    const away = error.code === 'K8S_UNAVAILABLE' || error.code === 'K8S_TIMEOUT';
    return { what, unseen: why, away };
  }
}
