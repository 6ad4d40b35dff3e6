import {
  claimsOf,
  Fault,
  isObject,
  type JsonObject,
  readToken,
  type SignedToken,
} from '../../lib/token/index.ts';
import { AttestationError } from './attestor.ts';
import { refused } from './kubernetes-pod.ts';
import type { TokenIdentity } from './kubernetes-selectors.ts';

/** The audience that a token for us is issued for, and no other use. */
export const AUDIENCE = 'signet';

/** A token taken apart. Nothing of it is verified. */
export type ReadToken = { readonly token: SignedToken; readonly claims: JsonObject };

/** @throws AttestationError `EVIDENCE_INVALID` */
export function readPodToken(text: string): ReadToken {
  const token = readToken(text);
  if (token instanceof Fault) throw new AttestationError('EVIDENCE_INVALID', `the token is ${token.reason}`);
  if (token.kind !== 'signed')
    throw new AttestationError('EVIDENCE_INVALID', 'the token is not a signed JWT');
  const claims = claimsOf(token);
  if (claims instanceof Fault)
    throw new AttestationError('EVIDENCE_INVALID', `the token has ${claims.reason}`);
  return { token, claims };
}

/** The API server lets a token live for a minute after its end. */
export function expectUnexpired({ exp }: JsonObject, now: Date): void {
  if (typeof exp !== 'number' || !(now.getTime() < exp * 1000))
    throw refused('TOKEN_EXPIRED', 'the token has run out');
}

/** Names as Kubernetes allows them: they become part of a path. */
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const UID = /^[A-Za-z0-9-]{1,64}$/;

type Bound = { readonly pod: unknown; readonly uid: unknown; readonly node: unknown };

/**
 * Who a verified token was issued for. One that is not bound to a pod could be anybody's who may ask for tokens; one without a node was
 * issued before the pod had one, and not by the kubelet that runs it.
 * @throws AttestationError
 */
export function identityOf(user: unknown, { pod, uid, node }: Bound): TokenIdentity {
  const [, namespace = '', serviceAccount = ''] =
    /^system:serviceaccount:([^:]+):([^:]+)$/.exec(typeof user === 'string' ? user : '') ?? [];
  if (!NAME.test(namespace) || !NAME.test(serviceAccount))
    throw refused('TOKEN_ACCOUNT', 'the token is not of a service account');
  if (typeof pod !== 'string' || !NAME.test(pod) || typeof uid !== 'string' || !UID.test(uid))
    throw refused('TOKEN_NO_POD', `the token of ${namespace}/${serviceAccount} is not bound to a pod`);
  if (typeof node !== 'string' || !NAME.test(node))
    throw refused(
      'TOKEN_NO_NODE',
      `the token of ${namespace}/${pod} names no node: Kubernetes 1.30 and later put it there`,
    );
  return { namespace, serviceAccount, pod, uid, node };
}

/** The names in a token's own claims. */
export function namesIn(claims: JsonObject): Bound {
  const { pod, node } = objectOf(claims['kubernetes.io']);
  return { pod: objectOf(pod)['name'], uid: objectOf(pod)['uid'], node: objectOf(node)['name'] };
}

function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}
