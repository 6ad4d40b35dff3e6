import {
  claimsFault,
  Fault,
  type FaultCode,
  PUBLIC_SIGNATURES,
  verifySignature,
} from '../../lib/token/index.ts';
import type { OfflineKeys } from '../offline-keys.ts';
import type { AttestationErrorCode } from './attestor.ts';
import { refused } from './kubernetes-pod.ts';
import type { TokenIdentity } from './kubernetes-selectors.ts';
import { AUDIENCE, expectUnexpired, identityOf, namesIn, type ReadToken } from './kubernetes-token.ts';

const ALGORITHMS: ReadonlySet<string> = new Set(PUBLIC_SIGNATURES);
/** The API server's clock may be ahead of ours; for the token's end there is no such allowance. */
const SKEW_SECONDS = 30;

/**
 * What a token says of itself, held against the cluster's issuer and keys and nothing else: it goes on being true here when the pod is
 * gone, until the token has run out.
 * @throws AttestationError
 */
export async function verifyOffline(
  cluster: string,
  { issuer, keys }: OfflineKeys,
  { token, claims }: ReadToken,
  now: Date,
): Promise<TokenIdentity> {
  const unsigned = await verifySignature(token, keys, ALGORITHMS);
  if (unsigned !== null) throw refused('TOKEN_FOREIGN', `no key of ${cluster} signed the token`);
  const rules = { issuer, audience: [AUDIENCE], parties: null, types: ['jwt'], skewSeconds: SKEW_SECONDS };
  const fault = claimsFault(token.header.typ, claims, rules, now.getTime() / 1000);
  if (fault instanceof Fault)
    throw refused(CODES[fault.code] ?? 'TOKEN_FOREIGN', `the token is ${fault.reason}`);
  expectUnexpired(claims, now);
  return identityOf(claims['sub'], namesIn(claims));
}

const CODES: Partial<Readonly<Record<FaultCode, AttestationErrorCode>>> = {
  token_audience: 'TOKEN_AUDIENCE',
  token_expired: 'TOKEN_EXPIRED',
  token_early: 'TOKEN_EARLY',
};
