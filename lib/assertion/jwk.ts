import { createHash, type KeyObject } from 'node:crypto';

/** A public key with which assertions are verified (RFC 7517). `kid` is its thumbprint (RFC 7638). */
export type Jwk = {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
  readonly kid: string;
  readonly use: 'sig';
  readonly alg: 'ES256';
};

export type Jwks = { readonly keys: readonly Jwk[] };

/** Of a P-256 key; its public part where it is a private one. */
export function publicJwk(key: KeyObject): Jwk {
  const { x, y } = key.export({ format: 'jwk' }) as { readonly x: string; readonly y: string };
  // its required members in the order of their names, without space (RFC 7638 §3)
  const canonical = JSON.stringify({ crv: 'P-256', kty: 'EC', x, y });
  const kid = createHash('sha256').update(canonical).digest('base64url');
  return { kty: 'EC', crv: 'P-256', x, y, kid, use: 'sig', alg: 'ES256' };
}
