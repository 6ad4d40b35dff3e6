import { InputError } from '../errors.ts';
import { Secret } from '../secret.ts';
import { parseEntryRef } from './entry.ts';

/** A one-time code that lets a machine take up one entry: `sj1.<claims>.<wrapping token>`. */
export type JoinCode = {
  /** The entry it says it is for. Only what Vault unwraps is believed; this tells an operator whose code was stolen. */
  readonly entry: string;
  readonly id: string;
  /** When its wrapping token ends, to the second. Unproven like `entry`: it tells a code that ran out from one that was stolen. */
  readonly expiresAt?: Date;
  readonly wrappingToken: Secret;
};

const ID = /^[a-zA-Z0-9-]{1,64}$/;
const TOKEN = /^[A-Za-z0-9._-]{1,256}$/;
/** What a Date can hold. */
const LAST_SECOND = 8_640_000_000_000;

export function formatJoinCode(code: JoinCode): string {
  const ends = code.expiresAt === undefined ? {} : { x: Math.floor(code.expiresAt.getTime() / 1000) };
  const claims = Buffer.from(JSON.stringify({ e: code.entry, j: code.id, ...ends })).toString('base64url');
  return `sj1.${claims}.${code.wrappingToken.reveal()}`;
}

/** @throws InputError that never quotes the code */
export function parseJoinCode(text: string): JoinCode {
  const bad = () =>
    new InputError('join code', [{ pointer: '/code', message: 'is not a join code (sj1.….…)' }]);
  const [, claims, token] = /^sj1\.([A-Za-z0-9_-]{1,512})\.(.+)$/.exec(text) ?? [];
  if (claims === undefined || token === undefined || !TOKEN.test(token)) throw bad();
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(claims, 'base64url').toString());
  } catch {
    throw bad();
  }
  const { e, j, x } = (typeof parsed === 'object' && parsed !== null ? parsed : {}) as Record<
    string,
    unknown
  >;
  if (typeof e !== 'string' || parseEntryRef(e) === undefined || typeof j !== 'string' || !ID.test(j))
    throw bad();
  if (x !== undefined && !(Number.isSafeInteger(x) && (x as number) >= 0 && (x as number) < LAST_SECOND))
    throw bad();
  return {
    entry: e,
    id: j,
    ...(x === undefined ? {} : { expiresAt: new Date((x as number) * 1000) }),
    wrappingToken: new Secret(token),
  };
}
