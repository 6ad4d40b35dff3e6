import { Fault, invalid } from './fault.ts';
import { type JsonObject, objectIn } from './json.ts';

/** The header of a token. None of it is to be believed; nothing else of it is looked at, `jwk`, `jku`, `x5u` and `x5c` least of all. */
export type TokenHeader = { readonly alg: string; readonly kid: string | null; readonly typ: string | null };

/** `header.payload.signature` (RFC 7515 §7.1), of which nothing is verified yet. */
export type SignedToken = {
  readonly kind: 'signed';
  readonly text: string;
  readonly header: TokenHeader;
  readonly payload: Buffer;
};
/** `header.key.iv.ciphertext.tag` (RFC 7516 §7.1), not opened yet. */
export type SealedToken = {
  readonly kind: 'sealed';
  readonly text: string;
  readonly header: TokenHeader & { readonly enc: string };
};
/** A token that means something to its issuer alone. */
export type OpaqueToken = { readonly kind: 'opaque'; readonly text: string };

export const LONGEST_TOKEN = 16_384;
const LONGEST_KID = 1_024;
/** base64url whose unused bits are zero: one spelling for each text (RFC 4648 §3.5), so that no other token means the same. */
const BASE64URL = /^(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/;

/**
 * Takes a token apart, strictly. One that does not begin like a JWT is opaque; one that does and is none is a fault, so that it is
 * shown to nobody.
 */
export function readToken(text: string): SignedToken | SealedToken | OpaqueToken | Fault {
  if (text.length > LONGEST_TOKEN) return invalid('longer than a token may be');
  const parts = text.split('.');
  if (parts.length === 1 || !OBJECT_BEGINS.test(text)) return { kind: 'opaque', text };
  if (parts.length !== 3 && parts.length !== 5) return invalid('neither three nor five parts');
  if (!parts.every((part) => BASE64URL.test(part))) return invalid('a part that is not base64url');
  const header = readHeader(parts[0]!);
  if (header instanceof Fault) return header;
  if (parts.length === 3) {
    if (parts[2] === '') return invalid('no signature');
    return { kind: 'signed', text, header, payload: Buffer.from(parts[1]!, 'base64url') };
  }
  const { enc } = header;
  return enc === null ? invalid('enc is missing') : { kind: 'sealed', text, header: { ...header, enc } };
}

/** The claims that a token makes, true or not. */
export function claimsOf({ payload }: SignedToken): JsonObject | Fault {
  return objectIn(payload) ?? invalid('claims that are not one JSON object');
}

/** How base64url begins of a text that begins with `{` and a quote or white space. */
const OBJECT_BEGINS = /^e[wy]/;

function readHeader(part: string): (TokenHeader & { readonly enc: string | null }) | Fault {
  const header = objectIn(Buffer.from(part, 'base64url'));
  if (header === undefined) return invalid('a header that is not one JSON object');
  const { alg, kid = null, typ = null, enc = null } = header;
  if (typeof alg !== 'string') return invalid('alg is missing');
  if (!isTextOrNull(kid) || (kid ?? '').length > LONGEST_KID) return invalid('kid is not a name');
  if (!isTextOrNull(typ)) return invalid('typ is not a text');
  if (!isTextOrNull(enc)) return invalid('enc is not a text');
  // whoever does not understand what is critical refuses (RFC 7515 §4.1.11), and we understand none of it
  if ('crit' in header || 'b64' in header) return invalid('crit or b64');
  // a small token that becomes a large one
  if ('zip' in header) return invalid('zip');
  return { alg, kid, typ, enc };
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}
