import { BlockList, isIP } from 'node:net';
import { AttestationError, type AttestationErrorCode } from './attestor.ts';
import { listOf, type Pod, type TokenIdentity, textOf } from './kubernetes-selectors.ts';

/** For the log and for `signet explain`: the code tells which rule, the text what was seen. */
export function refused(code: AttestationErrorCode, text: string): AttestationError {
  return new AttestationError(code, `${code}: ${text}`);
}

/**
 * A token outlives its pod: the API server itself says yes to it for ten seconds longer, and for a minute after its end. So the pod is
 * looked at: it is the one that the token was issued for, it is not finished, and it is where the token says.
 *
 * A pod that is being deleted still works until its grace period is over, and may have to renew meanwhile: it is let in, and true is
 * answered. `deletionTimestamp` is the end of that period; from then on it is refused, though a finalizer or a lost node may keep it.
 * @throws AttestationError
 */
export function judgePod(token: TokenIdentity, pod: Pod, now: Date): { readonly terminating: boolean } {
  const [metadata, spec, status] = [pod.metadata ?? {}, pod.spec ?? {}, pod.status ?? {}];
  const what = `${token.namespace}/${token.pod}`;
  if (metadata.uid !== token.uid)
    throw refused('POD_REPLACED', `the pod ${what} is another than the token was issued for`);
  if (status.phase === 'Succeeded' || status.phase === 'Failed')
    throw refused('POD_FINISHED', `the pod ${what} is finished (${status.phase})`);
  if (spec.serviceAccountName !== token.serviceAccount)
    throw refused('POD_ACCOUNT', `the pod ${what} runs under another service account than the token's`);
  if (spec.nodeName !== token.node) {
    const where = textOf(spec.nodeName) ?? 'no node';
    throw refused('POD_MOVED', `the pod ${what} is on ${where}, and its token is from ${token.node}`);
  }
  if (metadata.deletionTimestamp === undefined) return { terminating: false };
  const end = Date.parse(String(metadata.deletionTimestamp));
  if (!(now.getTime() < end))
    throw refused('POD_OVERDUE', `the pod ${what} is being deleted and its grace period is over`);
  return { terminating: true };
}

/** Whether a connection from `address` is the pod's own; undefined while the cluster does not know the pod's address. */
export function comesFrom(pod: Pod, address: string): boolean | undefined {
  const own = new BlockList();
  for (const { ip } of listOf(pod.status?.podIPs)) {
    const text = textOf(ip) ?? '';
    if (isIP(text) !== 0) own.addAddress(text, isIP(text) === 6 ? 'ipv6' : 'ipv4');
  }
  if (own.rules.length === 0) return undefined;
  return isIP(address) !== 0 && own.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}
