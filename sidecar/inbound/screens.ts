import type { Socket } from 'node:net';
import type { Origin } from '../../lib/assertion/index.ts';
import type { Facts, Risk, User } from '../../lib/policy/index.ts';
import type { Caller } from '../decide.ts';
import type { RequestHead } from '../http1/index.ts';
import type { Pending, Refused } from '../relay/index.ts';
import type { Peer } from './peer.ts';

/** Who the end users of requests are. */
export interface Users {
  /** Null: the request has none and needs none. The head is good until the call returns. */
  identify(head: RequestHead, now: Date): User | null | Refused | Pending;
}

/** That each request was made by its caller, for the connection it came on. */
export interface Proofs {
  /** For one connection. */
  of(socket: Socket, peer: Peer): RequestProofs;
}

export interface RequestProofs {
  /** Whether the request's body has to stand behind its head when it is checked. */
  needsBody(head: RequestHead): boolean;
  /** Null: it is proven. To be asked once of each request, since no proof holds twice. */
  check(head: RequestHead, now: Date): Refused | null;
}

/** How unusual a request is. Asked only for requests that some rule wants to know it of. */
export interface Risks {
  /** The head is good until the call returns. */
  assess(caller: Caller, facts: Omit<Facts, 'risk'>, head: RequestHead): Risk;
}

/** What led to a request. */
export interface Origins {
  /** The head is good until the call returns. */
  trace(caller: Caller | Peer, head: RequestHead, now: Date): Origin | Refused;
}

/** What the app is told of a request that may pass, beside its caller. */
export interface AppView {
  /** Whole header lines; null: nothing more. `decision` is the name of the decision by which it passed. */
  lines(
    caller: Caller,
    facts: Facts,
    decision: string,
    head: RequestHead,
    origin: Origin | null,
  ): Buffer | null;
}

/** What stands between the caller's certificate and the app beside policy itself; null: nothing. */
export type Screens = {
  readonly users: Users | null;
  readonly origins: Origins | null;
  readonly proofs: Proofs | null;
  readonly risks: Risks | null;
  readonly view: AppView | null;
};

export const NO_SCREENS: Screens = { users: null, origins: null, proofs: null, risks: null, view: null };
