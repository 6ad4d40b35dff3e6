import type { KubernetesApi } from '../../lib/adapter/kubernetes/index.ts';
import type { JsonObject } from '../../lib/token/index.ts';
import type { AttestationError } from './attestor.ts';
import { refused } from './kubernetes-pod.ts';
import type { TokenIdentity } from './kubernetes-selectors.ts';
import { AUDIENCE, expectUnexpired, identityOf, type ReadToken } from './kubernetes-token.ts';

type Review = {
  readonly status?: {
    readonly authenticated?: unknown;
    readonly audiences?: unknown;
    readonly error?: unknown;
    readonly user?: {
      readonly username?: unknown;
      readonly extra?: Readonly<Record<string, unknown>>;
    };
  };
};

const REVIEWS = '/apis/authentication.k8s.io/v1/tokenreviews';
const EXTRA = 'authentication.kubernetes.io/';

/**
 * What the cluster that issued a token says of it. Never kept: the next one to show it is asked about again.
 * @throws AttestationError, KubernetesError
 */
export async function reviewToken(
  api: KubernetesApi,
  { token, claims }: ReadToken,
  now: Date,
): Promise<TokenIdentity> {
  const spec = { token: token.text, audiences: [AUDIENCE] };
  const status = (await api.create<Review>(REVIEWS, { spec })).status ?? {};
  if (status.authenticated !== true) throw whyNot(api.cluster, claims, status.error, now);
  // A server that knows no audiences says yes to a token for anyone, and names none.
  if (!Array.isArray(status.audiences) || !status.audiences.includes(AUDIENCE))
    throw refused('TOKEN_AUDIENCE', `${api.cluster} does not say that the token is for ${AUDIENCE}`);
  expectUnexpired(claims, now);
  const extra = (name: string) => {
    const values = status.user?.extra?.[`${EXTRA}${name}`];
    return Array.isArray(values) && values.length === 1 ? values[0] : undefined;
  };
  const bound = { pod: extra('pod-name'), uid: extra('pod-uid'), node: extra('node-name') };
  return identityOf(status.user?.username, bound);
}

/** The answer is no: the claims, though nobody vouches for them, tell a person why. The server's words choose, and are not repeated. */
function whyNot(cluster: string, claims: JsonObject, error: unknown, now: Date): AttestationError {
  const { aud } = claims;
  if (!(Array.isArray(aud) ? aud : [aud]).includes(AUDIENCE))
    return refused('TOKEN_AUDIENCE', `the token is not for ${AUDIENCE}`);
  try {
    expectUnexpired(claims, now);
  } catch (expired) {
    return expired as AttestationError;
  }
  if (/invalidated/.test(String(error)))
    return refused('TOKEN_INVALIDATED', `${cluster} issued it, for a pod, account or node that is gone`);
  return refused('TOKEN_FOREIGN', `${cluster} did not issue the token`);
}
