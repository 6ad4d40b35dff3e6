import { X509Certificate } from 'node:crypto';
import { readCertificate } from './certificate.ts';
import { SvidError } from './error.ts';
import { fromBase64, toPem } from './pem.ts';

/** The X.509 authorities of one trust domain (SPIFFE Trust Domain and Bundle §4). No authority means: trust nothing. */
export type Bundle = {
  readonly trustDomain: string;
  /** Rises with every change of the set. */
  readonly sequence: number;
  readonly refreshHintSeconds: number | null;
  /** DER, one certificate each. */
  readonly authorities: readonly Uint8Array[];
};

export type BundleJwks = {
  readonly spiffe_sequence: number;
  readonly spiffe_refresh_hint?: number;
  readonly keys: readonly Readonly<Record<string, unknown>>[];
};

const MAX_KEYS = 256;

/**
 * Reads a SPIFFE bundle from its parsed JSON. The trust domain is given, never taken from the document or where it came from.
 * Unknown members, and keys of another use, are passed over; an authority that cannot be read refuses the whole bundle, so that the
 * last good one stays.
 * @throws SvidError `BUNDLE_MALFORMED`
 */
export function parseBundle(trustDomain: string, json: unknown): Bundle {
  if (!isObject(json) || !Array.isArray(json['keys']))
    throw malformed('it is not an object with an array "keys"');
  if (json['keys'].length > MAX_KEYS) throw malformed(`it has over ${MAX_KEYS} keys`);
  const sequence = wholeNumber(json, 'spiffe_sequence') ?? 0;
  const authorities = json['keys'].flatMap((key: unknown, i) => {
    if (!isObject(key)) throw malformed(`key ${i} is not an object`);
    return key['use'] === 'x509-svid' ? [authorityOf(key, i)] : [];
  });
  return { trustDomain, sequence, refreshHintSeconds: wholeNumber(json, 'spiffe_refresh_hint'), authorities };
}

/** The bundle as a SPIFFE JWKS document. */
export function bundleToJwks(bundle: Bundle): BundleJwks {
  return {
    spiffe_sequence: bundle.sequence,
    ...(bundle.refreshHintSeconds === null ? {} : { spiffe_refresh_hint: bundle.refreshHintSeconds }),
    keys: bundle.authorities.map((der) => ({
      ...new X509Certificate(der).publicKey.export({ format: 'jwk' }),
      use: 'x509-svid',
      x5c: [Buffer.from(der).toString('base64')],
    })),
  };
}

/** One PEM text per authority, as `tls` wants its `ca`. */
export function bundleToPem(bundle: Bundle): string[] {
  return bundle.authorities.map((der) => toPem('CERTIFICATE', der));
}

/**
 * The bundle to keep when `offered` arrives: the offered one, or the current one when the sequence is the same.
 * @throws SvidError `BUNDLE_ROLLED_BACK` when its sequence is lower, `SVID_WRONG_TRUST_DOMAIN` when it is another domain's
 */
export function newerBundle(current: Bundle, offered: Bundle): Bundle {
  if (offered.trustDomain !== current.trustDomain) {
    throw new SvidError(
      'SVID_WRONG_TRUST_DOMAIN',
      `a bundle of ${offered.trustDomain} in place of ${current.trustDomain}`,
    );
  }
  if (offered.sequence < current.sequence) {
    throw new SvidError('BUNDLE_ROLLED_BACK', `bundle ${offered.sequence} after bundle ${current.sequence}`);
  }
  return offered.sequence === current.sequence ? current : offered;
}

function authorityOf(key: Record<string, unknown>, index: number): Uint8Array {
  const x5c = key['x5c'];
  if (!Array.isArray(x5c) || x5c.length !== 1 || typeof x5c[0] !== 'string') {
    throw malformed(`key ${index} has not exactly one certificate in "x5c"`);
  }
  let isCa: boolean;
  let der: Uint8Array;
  try {
    der = fromBase64(x5c[0]);
    isCa = readCertificate(der).isCa;
  } catch (cause) {
    throw malformed(`the certificate of key ${index} cannot be read`, { cause });
  }
  if (!isCa) throw malformed(`the certificate of key ${index} is not a CA`);
  return der;
}

function wholeNumber(json: Record<string, unknown>, name: string): number | null {
  const value = json[name];
  if (value === undefined) return null;
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw malformed(`"${name}" is not a whole number`);
  return value as number;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(what: string, options?: ErrorOptions): SvidError {
  return new SvidError('BUNDLE_MALFORMED', `bundle refused: ${what}`, options);
}
