/** What a key must be to be used with an algorithm (RFC 7518 §3, RFC 8037, RFC 9864). */
type Fit = {
  readonly kty: 'EC' | 'RSA' | 'OKP' | 'oct';
  readonly crv?: string;
  readonly leastBytes?: number;
};

/** By which tokens may be signed. `none` is not among them, and what is not among them is refused wherever it is named. */
export const SIGNATURES: Readonly<Record<string, Fit>> = {
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  ES512: { kty: 'EC', crv: 'P-521' },
  RS256: { kty: 'RSA' },
  RS384: { kty: 'RSA' },
  RS512: { kty: 'RSA' },
  PS256: { kty: 'RSA' },
  PS384: { kty: 'RSA' },
  PS512: { kty: 'RSA' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
  Ed25519: { kty: 'OKP', crv: 'Ed25519' },
  HS256: { kty: 'oct', leastBytes: 32 },
  HS384: { kty: 'oct', leastBytes: 48 },
  HS512: { kty: 'oct', leastBytes: 64 },
};

/** Those of public keys: whoever verifies cannot sign. */
export const PUBLIC_SIGNATURES = Object.keys(SIGNATURES).filter((alg) => SIGNATURES[alg]!.kty !== 'oct');
export const SECRET_SIGNATURES = Object.keys(SIGNATURES).filter((alg) => SIGNATURES[alg]!.kty === 'oct');
/** Of issuers whose configuration names none. */
export const USUAL_SIGNATURES = ['ES256', 'RS256', 'PS256', 'EdDSA', 'Ed25519'];

/**
 * By which the key of a sealed token may be given. RSA1_5 is not among them: whoever can see what becomes of a token with wrong padding can
 * open others.
 */
export const KEY_ENCRYPTIONS: Readonly<Record<string, Fit>> = {
  'RSA-OAEP': { kty: 'RSA' },
  'RSA-OAEP-256': { kty: 'RSA' },
  'RSA-OAEP-384': { kty: 'RSA' },
  'RSA-OAEP-512': { kty: 'RSA' },
  'ECDH-ES': { kty: 'EC' },
  'ECDH-ES+A128KW': { kty: 'EC' },
  'ECDH-ES+A192KW': { kty: 'EC' },
  'ECDH-ES+A256KW': { kty: 'EC' },
  A128KW: { kty: 'oct' },
  A192KW: { kty: 'oct' },
  A256KW: { kty: 'oct' },
  A128GCMKW: { kty: 'oct' },
  A192GCMKW: { kty: 'oct' },
  A256GCMKW: { kty: 'oct' },
  dir: { kty: 'oct' },
};

export const CONTENT_ENCRYPTIONS = [
  ...['A128GCM', 'A192GCM', 'A256GCM'],
  ...['A128CBC-HS256', 'A192CBC-HS384', 'A256CBC-HS512'],
];
export const USUAL_KEY_ENCRYPTIONS = ['RSA-OAEP-256', 'ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A256KW'];
export const USUAL_CONTENT_ENCRYPTIONS = ['A128GCM', 'A256GCM', 'A128CBC-HS256', 'A256CBC-HS512'];
