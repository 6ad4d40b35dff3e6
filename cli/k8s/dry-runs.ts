import { type KubernetesApi, KubernetesError } from '../../lib/adapter/kubernetes/index.ts';
import { AUDIENCE, type Pod, sidecarOf, type Trial } from '../../lib/kubernetes/index.ts';

// Nothing of what is created here is kept by the API server.
const DRY_RUN = '?dryRun=All';

/**
 * The audiences of a token that is asked for our audience, and thrown away. It is bound to no pod, so no broker takes it.
 * @throws KubernetesError
 */
export async function tokenAudiences(api: KubernetesApi, namespace: string): Promise<string[]> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/default/token${DRY_RUN}`;
  const { status } = await api.create<{ status?: { token?: unknown } }>(path, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { audiences: [AUDIENCE], expirationSeconds: 600 },
  });
  try {
    const [, payload = ''] = String(status?.token).split('.');
    const { aud } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { aud?: unknown };
    return [aud].flat().map(String);
  } catch {
    return [];
  }
}

/** Whether the API server knows native sidecars: one that does not drops the field. @throws KubernetesError */
export async function tryNativeSidecar(api: KubernetesApi, namespace: string): Promise<boolean> {
  const pod = podOf({}, [{ ...CONTAINER, name: 'native', restartPolicy: 'Always' }]);
  const made = await create(api, namespace, pod);
  return made.spec?.initContainers?.some((each) => each.restartPolicy === 'Always') === true;
}

/** What becomes of a pod that asks for a sidecar. @throws KubernetesError where it was not the pod that was refused */
export async function triedPod(api: KubernetesApi, namespace: string): Promise<Trial> {
  try {
    const made = await create(api, namespace, podOf({ 'signet/inject': 'true' }, []));
    const outcome = sidecarOf(made) === undefined ? 'not-injected' : 'injected';
    return { namespace, outcome, says: '' };
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    const says = error.says.reveal();
    // A webhook that fails is a 500, one that refuses a 4xx of its own choice: told apart by the API server's words.
    if (!/admission webhook|failed calling webhook/.test(says)) throw error;
    return { namespace, outcome: 'refused', says };
  }
}

async function create(api: KubernetesApi, namespace: string, pod: object) {
  return api.create<Pod>(`/api/v1/namespaces/${namespace}/pods${DRY_RUN}`, pod);
}

/** Admitted under the restricted profile. */
const CONTAINER = {
  name: 'app',
  image: 'signet.invalid/none',
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
};

function podOf(annotations: Readonly<Record<string, string>>, initContainers: readonly object[]): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { generateName: 'signet-check-', annotations },
    spec: {
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
      initContainers,
      containers: [CONTAINER],
    },
  };
}
