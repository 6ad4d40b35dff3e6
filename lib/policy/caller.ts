import { parseSpiffeId, type SpiffeId } from '../spiffe/index.ts';

/** A client that showed no SVID, as policies, the audit and apps are told of it. It is no SPIFFE ID, and no pattern of them matches it. */
export const ANONYMOUS = 'anonymous';

/** Who asks. */
export type Caller = SpiffeId | typeof ANONYMOUS;

/** @throws SpiffeError when it is neither `anonymous` nor a SPIFFE ID */
export function parseCaller(text: string): Caller {
  return text === ANONYMOUS ? ANONYMOUS : parseSpiffeId(text);
}
