import { type Administrate, demanding } from './admin.ts';

export interface PodOptions {
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  /** Bound to this node, which is made if there is none; without it the pod waits for a scheduler. */
  readonly node?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Replaces the one container of an image that nothing runs. */
  readonly spec?: object;
}

export interface TokenOptions {
  readonly audience?: string;
  /** Binds the token to a pod of the namespace, by its name. */
  readonly pod?: string;
  /** Kubernetes gives no less than 600. */
  readonly seconds?: number;
}

/** What tests make in an API server, as its administrator. Each throws with what the API server said. */
export interface Objects {
  /** With the service account `default`, which without the controller manager nobody makes. */
  createNamespace(name: string, labels?: Readonly<Record<string, string>>): Promise<void>;
  createServiceAccount(namespace: string, name: string): Promise<void>;
  /** The pod as the API server holds it. */
  // biome-ignore lint/suspicious/noExplicitAny: a v1 Pod, of which tests read what they expect
  createPod(options: PodOptions): Promise<any>;
  /** At once, without grace. */
  deletePod(namespace: string, name: string): Promise<void>;
  /** A token of a service account, as a projected volume would hold. */
  requestToken(namespace: string, serviceAccount: string, options?: TokenOptions): Promise<string>;
  /** The `status` of a TokenReview. */
  reviewToken(token: string, audience?: string): Promise<TokenReviewStatus>;
}

export interface TokenReviewStatus {
  readonly authenticated?: boolean;
  readonly audiences?: readonly string[];
  readonly user?: {
    readonly username: string;
    readonly uid: string;
    readonly groups: readonly string[];
    readonly extra?: Readonly<Record<string, readonly string[]>>;
  };
  readonly error?: string;
}

export function objectsOf(send: Administrate): Objects {
  const demand = demanding(send);
  const core = '/api/v1';
  const ensure = async (path: string, body: { metadata: { name: string } }) => {
    const { status, body: answer } = await send('POST', path, body);
    if (status >= 300 && status !== 409) throw new Error(`POST ${path}: ${status} ${JSON.stringify(answer)}`);
  };
  const createServiceAccount: Objects['createServiceAccount'] = (namespace, name) =>
    ensure(`${core}/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
  return {
    createServiceAccount,
    createNamespace: async (name, labels = {}) => {
      await demand('POST', `${core}/namespaces`, { metadata: { name, labels } });
      await createServiceAccount(name, 'default');
    },
    createPod: async ({ namespace, name, serviceAccount, node, labels = {}, annotations = {}, spec }) => {
      const pods = `${core}/namespaces/${namespace}/pods`;
      const made = await demand('POST', pods, {
        metadata: { name, labels, annotations },
        spec: {
          serviceAccountName: serviceAccount,
          containers: [{ name: 'app', image: 'nowhere/app:1' }],
          ...spec,
        },
      });
      if (node === undefined) return made;
      await ensure(`${core}/nodes`, { metadata: { name: node } });
      const target = { apiVersion: 'v1', kind: 'Node', name: node };
      await demand('POST', `${pods}/${name}/binding`, { metadata: { name }, target });
      return demand('GET', `${pods}/${name}`);
    },
    deletePod: async (namespace, name) => {
      const at = `${core}/namespaces/${namespace}/pods/${name}`;
      await demand('DELETE', at, { gracePeriodSeconds: 0 });
    },
    requestToken: async (namespace, serviceAccount, { audience, pod, seconds = 3600 } = {}) => {
      const spec = {
        ...(audience === undefined ? {} : { audiences: [audience] }),
        ...(pod === undefined ? {} : { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod } }),
        expirationSeconds: seconds,
      };
      const at = `${core}/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
      return (await demand('POST', at, { spec })).status.token;
    },
    reviewToken: async (token, audience) => {
      const spec = { token, ...(audience === undefined ? {} : { audiences: [audience] }) };
      return (await demand('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { spec })).status;
    },
  };
}
