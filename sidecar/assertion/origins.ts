import type { KeyObject } from 'node:crypto';
import {
  AssertionError,
  MOST_SERVICES,
  mayPass,
  NO_ORIGIN,
  type Origin,
  verifyTxnToken,
} from '../../lib/assertion/index.ts';
import { ANONYMOUS } from '../../lib/policy/index.ts';
import type { SpiffeId } from '../../lib/spiffe/index.ts';
import type { Caller } from '../decide.ts';
import { droppedValue, type RequestHead } from '../http1/index.ts';
import type { Credentials } from '../identity/credentials.ts';
import type { Peer } from '../inbound/index.ts';
import type { Origins } from '../inbound/screens.ts';
import { Refused } from '../relay/index.ts';

const TXN_TOKEN = Buffer.from('txn-token');

/**
 * Reads what led to a request from its `Txn-Token`. That has to be signed by the key that the caller's connection was made with: a token
 * of anybody else, or a stolen one, is refused with the request.
 */
export class TokenOrigins implements Origins {
  private readonly credentials: Credentials;
  private readonly keys = new WeakMap<Caller, KeyObject>();

  constructor(credentials: Credentials) {
    this.credentials = credentials;
  }

  trace(caller: Caller | Peer, head: RequestHead, now: Date): Origin | Refused {
    const token = droppedValue(head, TXN_TOKEN);
    // a client that has no SVID can sign nothing: what it calls so is another's word, and not passed on
    if (token === null || caller.id === ANONYMOUS || !('certificate' in caller)) return NO_ORIGIN;
    if (token === undefined) return refused('TXN_MALFORMED');
    const own = this.credentials.current?.id;
    if (own === undefined) return refused('TXN_WRONG_AUDIENCE');
    const origin = this.verified(token, caller, own, now);
    if (origin instanceof Refused) return origin;
    return mayPass(origin, caller.id) ? origin : TOO_DEEP;
  }

  private verified(token: string, caller: Peer, own: SpiffeId, now: Date): Origin | Refused {
    try {
      return verifyTxnToken(token, { issuer: caller.id, audience: own, now }, this.keyOf(caller));
    } catch (error) {
      if (error instanceof AssertionError) return refused(error.code);
      throw error;
    }
  }

  private keyOf(caller: Peer): KeyObject {
    let key = this.keys.get(caller);
    if (key === undefined) {
      key = caller.certificate.publicKey;
      this.keys.set(caller, key);
    }
    return key;
  }
}

const TOO_DEEP = new Refused({
  status: 508,
  code: 'transaction_too_deep',
  detail: `the request comes by more than ${MOST_SERVICES} services, or by names that are too long together`,
});

function refused(reason: string): Refused {
  const detail = 'the Txn-Token is not one that the caller made for this service now';
  return new Refused({ status: 401, code: 'txn_token_refused', detail, reason });
}
