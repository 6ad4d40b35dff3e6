import { ANONYMOUS, type Caller, parseCaller } from '../policy/index.ts';
import { SpiffeError } from '../spiffe/index.ts';
import { AssertionError } from './error.ts';

/** What led to a request. */
export type Origin = {
  /** Names the transaction wherever it goes; null: it begins with this request. */
  readonly id: string | null;
  /** Who started it, then each service it passed, the caller left out. Only the first can be `anonymous`. Empty: the caller started it. */
  readonly path: readonly Caller[];
  /** For whom it was started. */
  readonly user: OriginUser | null;
};

export type OriginUser = { readonly iss: string; readonly sub: string };

/** Begun by the caller. */
export const NO_ORIGIN: Origin = Object.freeze({ id: null, path: [], user: null });
/** Services that one transaction passes, the one that starts it among them: what goes round in a circle comes to its end. */
export const MOST_SERVICES = 16;
/** Characters of all their IDs together. */
const MOST_PATH_CHARS = 4_096;

const TRANSACTION_ID = /^[A-Za-z0-9_-]{1,64}$/;
const MOST_IDENTIFIER = 1_024;

/** Whether one more service may be added. */
export function mayPass({ path }: Origin, next: Caller): boolean {
  let chars = next.toString().length;
  for (const each of path) chars += each.toString().length;
  return path.length < MOST_SERVICES && chars <= MOST_PATH_CHARS;
}

/** The origin of what the one that `origin` led to will ask for. */
export function passedBy(
  origin: Origin,
  caller: Caller,
  begun: { readonly id: string; readonly user: OriginUser | null },
): Origin {
  const [id, user] = origin.id === null ? [begun.id, userOrNone(begun.user)] : [origin.id, origin.user];
  return { id, path: [...origin.path, caller], user };
}

/** As members of a signed statement. `sub` is who started it. */
export function originClaims({ id, path, user }: Origin): object {
  return { txn: id, sub: path[0], chain: path, ...(user === null ? {} : { user }) };
}

/** @throws AssertionError `TXN_MALFORMED` */
export function readOrigin(payload: Readonly<Record<string, unknown>>): Origin {
  const { txn, sub, chain, user } = payload;
  if (typeof txn !== 'string' || !TRANSACTION_ID.test(txn)) throw malformed('"txn" is no name');
  if (!Array.isArray(chain) || chain.length === 0 || chain.length > MOST_SERVICES)
    throw malformed(`"chain" is not an array of 1 to ${MOST_SERVICES}`);
  let chars = 0;
  const path = chain.map((text: unknown, i) => {
    if (typeof text !== 'string') throw malformed(`/chain/${i} is not a text`);
    if ((chars += text.length) > MOST_PATH_CHARS) throw malformed('"chain" is too long');
    return readCaller(text, i);
  });
  if (sub !== chain[0]) throw malformed('"sub" is not the first of "chain"');
  return { id: txn, path, user: readUser(user) };
}

function readCaller(text: string, at: number): Caller {
  try {
    const caller = parseCaller(text);
    if (caller !== ANONYMOUS || at === 0) return caller;
  } catch (error) {
    if (!(error instanceof SpiffeError)) throw error;
  }
  throw malformed(`/chain/${at} is not a SPIFFE ID`);
}

function readUser(user: unknown): OriginUser | null {
  if (user === undefined) return null;
  const { iss, sub } = (user ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof iss !== 'string' || typeof sub !== 'string' || userOrNone({ iss, sub }) === null)
    throw malformed('"user" is not an issuer and a subject');
  return { iss, sub };
}

/** One whose names are too long to be told is not told. */
function userOrNone(user: OriginUser | null): OriginUser | null {
  if (user === null) return null;
  const { iss, sub } = user;
  return Buffer.byteLength(iss) > MOST_IDENTIFIER || Buffer.byteLength(sub) > MOST_IDENTIFIER ? null : user;
}

function malformed(why: string): AssertionError {
  return new AssertionError('TXN_MALFORMED', `not a transaction: ${why}`);
}
