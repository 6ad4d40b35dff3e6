import { isUtf8 } from 'node:buffer';
import { type KeyObject, sign, verify } from 'node:crypto';
import { AssertionError } from './error.ts';

/** A signed statement in compact form (RFC 7515 §7.1), read and not yet verified. */
export type Jws = {
  /** The header as it was sent: equal texts are equal headers. */
  readonly headerText: string;
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly signed: Buffer;
  readonly signature: Buffer;
};

/** The one algorithm there is: what a header says of it is compared, never followed. */
const ALGORITHM = 'ES256';
const SIGNATURE_BYTES = 64;

/** The header of every statement of one type by one key: made once. */
export function jwsHeader(typ: string, members: Readonly<Record<string, unknown>>): string {
  return encoded({ alg: ALGORITHM, typ, ...members });
}

export function makeJws(header: string, payload: object, key: KeyObject): string {
  const signed = `${header}.${encoded(payload)}`;
  const signature = sign('sha256', Buffer.from(signed, 'latin1'), { key, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

/**
 * Reads a statement of one type strictly: three parts in canonical base64url, JSON objects, this algorithm, no extension that a verifier
 * would have to understand.
 * @throws AssertionError `JWS_MALFORMED`
 */
export function readJws(text: string, typ: string, mostChars: number): Jws {
  if (text.length > mostChars) throw malformed(`it is longer than ${mostChars}`);
  const parts = text.split('.', 4);
  const [headerText, payloadText, signatureText] = parts;
  if (parts.length !== 3) throw malformed('it has other than three parts');
  const header = objectOf(headerText!, 'header');
  if (header['alg'] !== ALGORITHM) throw malformed('it is signed by another algorithm');
  if (header['typ'] !== typ) throw malformed('it is of another type');
  if (header['crit'] !== undefined || header['b64'] !== undefined)
    throw malformed('it has extensions that are not understood');
  const signature = bytesOf(signatureText!, 'signature');
  if (signature.length !== SIGNATURE_BYTES) throw malformed('its signature has another length');
  return {
    headerText: headerText!,
    header,
    payload: objectOf(payloadText!, 'payload'),
    signed: Buffer.from(text.slice(0, text.lastIndexOf('.')), 'latin1'),
    signature,
  };
}

/** @throws AssertionError `JWS_SIGNATURE`, also when the key is none of this algorithm */
export function verifyJws({ signed, signature }: Jws, key: KeyObject): void {
  if (!isP256(key) || !verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature))
    throw new AssertionError('JWS_SIGNATURE', 'the signature is not by the key that it has to be by');
}

function isP256(key: KeyObject): boolean {
  return key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function objectOf(text: string, what: string): Record<string, unknown> {
  const bytes = bytesOf(text, what);
  let value: unknown;
  try {
    value = isUtf8(bytes) ? JSON.parse(bytes.toString()) : null;
  } catch {
    value = null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed(`its ${what} is not a JSON object`);
  return value as Record<string, unknown>;
}

/** Base64url in its one canonical spelling. */
function bytesOf(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length === 0 || bytes.toString('base64url') !== text)
    throw malformed(`its ${what} is not canonical base64url`);
  return bytes;
}

function malformed(why: string): AssertionError {
  return new AssertionError('JWS_MALFORMED', `not a statement that is accepted: ${why}`);
}
