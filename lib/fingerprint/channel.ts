import { hash, hkdfSync, type KeyObject } from 'node:crypto';
import { readFlat } from './flat-json.ts';
import { encode, isEs256, jwsHeader, readJws, signEs256 } from './jws.ts';
import { MacKey } from './mac.ts';

/** What both ends of one TLS connection know of it, and nobody else. */
export type Channel = {
  /** Names the connection without giving anything away: the hash of its exporter. */
  readonly binding: string;
  /** For messages on this connection alone. */
  readonly key: MacKey;
};

/** RFC 9266 */
export const EXPORTER_LABEL = 'EXPORTER-Channel-Binding';
export const EXPORTER_BYTES = 32;

const KEY_INFO = 'signet fingerprint channel v1';
const TYPE = 'signet-channel+jwt';
const HEADER = jwsHeader('ES256', TYPE);

export function channelOf(exporter: Uint8Array): Channel {
  const key = Buffer.from(hkdfSync('sha256', exporter, Buffer.alloc(0), KEY_INFO, 32));
  return { binding: hash('sha256', exporter, 'base64url'), key: new MacKey(key) };
}

/** By the key of its SVID, the workload `subject` says that the connection is its own: what is proven on it by the connection's key, it proved. */
export function assertChannel({ binding }: Channel, subject: string, key: KeyObject, now: Date): string {
  const iat = Math.floor(now.getTime() / 1000);
  return signEs256(`${HEADER}${encode(JSON.stringify({ cb: binding, iat, sub: subject }))}`, key);
}

/** Whether `text` is the assertion of this connection by this workload. */
export function isAssertion(text: string, { binding }: Channel, subject: string, key: KeyObject): boolean {
  const jws = readJws(text);
  if (jws === null || jws.alg !== 'ES256' || jws.typ !== TYPE) return false;
  const claims = readFlat(jws.payload);
  return claims?.get('cb') === binding && claims.get('sub') === subject && isEs256(jws, key);
}
