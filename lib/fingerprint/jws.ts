import { type KeyObject, sign, verify } from 'node:crypto';
import { readFlat } from './flat-json.ts';
import type { MacKey } from './mac.ts';

/** A JSON Web Signature in its compact form (RFC 7515 §7.1), read and not yet verified. */
export type Jws = {
  readonly alg: string;
  readonly typ: string | null;
  readonly payload: string;
  /** What is signed. */
  readonly input: string;
  readonly signature: Buffer;
};

type Header = Pick<Jws, 'alg' | 'typ'>;

/** The headers of tokens that we make, which need not be read. */
const ours = new Map<string, Header>();

/** Longer ones are not read. A path of the length that is served fits. */
const MOST_TOKEN_CHARS = 16_384;
const ES256_BYTES = 64;

/** The first part of a token, with its dot. */
export function jwsHeader(alg: 'ES256' | 'HS256', typ: string): string {
  const part = encode(JSON.stringify({ alg, typ }));
  ours.set(part, { alg, typ });
  return `${part}.`;
}

/**
 * Reads three parts, each the one spelling of its bytes, and a header of plain texts with `alg`. A header that asks to be
 * understood (`crit`, RFC 7515 §4.1.11) is refused: nothing of it is. Null: it is none.
 */
export function readJws(text: string): Jws | null {
  if (text.length > MOST_TOKEN_CHARS) return null;
  const first = text.indexOf('.');
  const second = text.indexOf('.', first + 1);
  if (first < 1 || second === -1) return null;
  const header = readHeader(text.slice(0, first));
  const payload = decode(text.slice(first + 1, second));
  const signature = decode(text.slice(second + 1));
  if (header === null || payload === null || signature === null) return null;
  return { ...header, payload: payload.toString('latin1'), input: text.slice(0, second), signature };
}

/** @param input header and payload, encoded, with the dot between them */
export function signEs256(input: string, key: KeyObject): string {
  const signature = sign('sha256', Buffer.from(input, 'latin1'), { key, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

export function signHs256(input: string, key: MacKey): string {
  return `${input}.${key.mac(input, 'base64url')}`;
}

/** By a P-256 key alone: with another one nothing is ES256. */
export function isEs256({ input, signature }: Jws, key: KeyObject): boolean {
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1' || signature.length !== ES256_BYTES) return false;
  return verify('sha256', Buffer.from(input, 'latin1'), { key, dsaEncoding: 'ieee-p1363' }, signature);
}

export function isHs256({ input, signature }: Jws, key: MacKey): boolean {
  return key.isMac(signature, input);
}

export function encode(text: string): string {
  return Buffer.from(text, 'latin1').toString('base64url');
}

function readHeader(part: string): Header | null {
  const own = ours.get(part);
  if (own !== undefined) return own;
  const bytes = decode(part);
  const fields = bytes === null ? null : readFlat(bytes.toString('latin1'));
  const [alg, typ = null] = [fields?.get('alg'), fields?.get('typ')];
  if (typeof alg !== 'string' || typeof typ === 'number' || fields?.has('crit') || fields?.has('b64'))
    return null;
  return { alg, typ };
}

/** Node decodes whatever it is given; there is one text that its result is the bytes of. */
function decode(part: string): Buffer | null {
  const bytes = Buffer.from(part, 'base64url');
  return part.length > 0 && bytes.toString('base64url') === part ? bytes : null;
}
