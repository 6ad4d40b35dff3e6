import { type KeyObject, X509Certificate } from 'node:crypto';
import type { SpiffeId } from '../spiffe/index.ts';
import { type Bundle, checkPath, checkSvid, readChain, SvidError } from '../svid/index.ts';
import { AssertionError } from './error.ts';
import { type Jws, jwsHeader, makeJws, readJws, verifyJws } from './jws.ts';
import { type Origin, originClaims, readOrigin } from './origin.ts';

/** Between sidecars, in `Txn-Token`: made for one audience by the key of the connection that it is sent on. */
const TXN_TOKEN_TYPE = 'txntoken+jwt';
/** From an inbound sidecar over its app to its own outbound side, in `X-Signet-Transaction`. */
const TRANSACTION_TYPE = 'signet-transaction+jwt';

/** Only its own maker can show it again: it lives so long that clocks may differ, not so short that replays would not pay. */
const TXN_TOKEN_SECONDS = 60;
/** So long an app may take before it asks for what a request needs; no longer than the SVID that signed it lives. */
const TRANSACTION_SECONDS = 3_600;
/** A maker's clock may be ahead by this. */
const AHEAD_SECONDS = 30;
const MOST_CHARS = 12_288;

/** Who speaks to whom, and when. */
export type Between = { readonly issuer: SpiffeId; readonly audience: SpiffeId; readonly now: Date };

const TXN_TOKEN_HEADER = jwsHeader(TXN_TOKEN_TYPE, {});

export function makeTxnToken(origin: Origin, between: Between, key: KeyObject): string {
  return makeJws(TXN_TOKEN_HEADER, claims(origin, between, TXN_TOKEN_SECONDS), key);
}

/** @throws AssertionError with the first rule broken */
export function verifyTxnToken(text: string, between: Between, key: KeyObject): Origin {
  const jws = readJws(text, TXN_TOKEN_TYPE, MOST_CHARS);
  verifyJws(jws, key);
  return believed(jws, between).origin;
}

/** The header of all that one SVID signs: it holds the certificates by which another process of the same workload knows the key. */
export function transactionHeader(chainDer: readonly Uint8Array[]): string {
  return jwsHeader(TRANSACTION_TYPE, { x5c: chainDer.map((der) => Buffer.from(der).toString('base64')) });
}

export function makeTransaction(
  header: string,
  origin: Origin,
  own: SpiffeId,
  now: Date,
  key: KeyObject,
): string {
  return makeJws(header, claims(origin, { issuer: own, audience: own, now }, TRANSACTION_SECONDS), key);
}

/** The key of an SVID of ours, and when that ends. */
export type Signer = { readonly key: KeyObject; readonly notAfter: Date };

/** @throws AssertionError `JWS_MALFORMED` */
export function readTransaction(text: string): Jws {
  return readJws(text, TRANSACTION_TYPE, MOST_CHARS);
}

/**
 * Whose key the header shows: an SVID for our own ID, by the bundle.
 * @throws AssertionError `TXN_UNTRUSTED`
 */
export function signerOf({ header }: Jws, own: SpiffeId, bundle: Bundle, now: Date): Signer {
  const { x5c } = header;
  if (!Array.isArray(x5c)) throw untrusted('no certificate is shown');
  const chainDer = x5c.map((text: unknown) => {
    if (typeof text !== 'string') throw untrusted('a certificate is no text');
    return new Uint8Array(Buffer.from(text, 'base64'));
  });
  try {
    const chain = readChain(chainDer);
    const { der, info } = chain[0];
    if (!checkSvid(info, { trustDomain: own.trustDomain, now }).equals(own))
      throw untrusted('it was made by another workload');
    checkPath(chain, bundle, now);
    return { key: new X509Certificate(der).publicKey, notAfter: info.notAfter };
  } catch (error) {
    if (error instanceof SvidError) throw untrusted(error.code, { cause: error });
    throw error;
  }
}

/** @throws AssertionError with the first rule broken */
export function verifyTransaction(jws: Jws, { key, notAfter }: Signer, own: SpiffeId, now: Date): Believed {
  verifyJws(jws, key);
  const { origin, expires } = believed(jws, { issuer: own, audience: own, now });
  if (notAfter <= now) throw new AssertionError('TXN_EXPIRED', 'the SVID that signed it has expired');
  return { origin, expires: notAfter < expires ? notAfter : expires };
}

/** What was verified, and until when that may be relied on. */
export type Believed = { readonly origin: Origin; readonly expires: Date };

function claims(origin: Origin, { issuer, audience, now }: Between, seconds: number): object {
  const iat = Math.floor(now.getTime() / 1_000);
  return { iss: issuer, aud: audience, iat, exp: iat + seconds, ...originClaims(origin) };
}

function believed({ payload }: Jws, { issuer, audience, now }: Between): Believed {
  const { iss, aud, iat, exp } = payload;
  if (iss !== issuer.toString())
    throw new AssertionError('TXN_WRONG_ISSUER', 'it was made by another workload');
  if (aud !== audience.toString())
    throw new AssertionError('TXN_WRONG_AUDIENCE', 'it was made for another workload');
  if (!Number.isSafeInteger(iat) || !Number.isSafeInteger(exp))
    throw new AssertionError('TXN_MALFORMED', 'it does not say from when to when it is good');
  const seconds = now.getTime() / 1_000;
  if ((iat as number) > seconds + AHEAD_SECONDS)
    throw new AssertionError('TXN_NOT_YET_VALID', 'it was made at a time to come');
  if ((exp as number) <= seconds || (exp as number) > seconds + AHEAD_SECONDS + TRANSACTION_SECONDS)
    throw new AssertionError('TXN_EXPIRED', 'its time is over, or longer than is given');
  return { origin: readOrigin(payload), expires: new Date((exp as number) * 1_000) };
}

function untrusted(why: string, options?: ErrorOptions): AssertionError {
  return new AssertionError('TXN_UNTRUSTED', `its signer is not known to be this workload: ${why}`, options);
}
