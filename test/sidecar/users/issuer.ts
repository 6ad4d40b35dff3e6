import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Json = Readonly<Record<string, unknown>>;

/** A key of an issuer's. */
export type TestKey = {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: KeyObject;
  readonly jwk: Json;
};

export function testKey(kid: string, alg: 'ES256' | 'RS256' | 'EdDSA' = 'ES256'): TestKey {
  const { privateKey, publicKey } = {
    ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    RS256: () => generateKeyPairSync('rsa', { modulusLength: 2_048 }),
    EdDSA: () => generateKeyPairSync('ed25519'),
  }[alg]();
  return { kid, alg, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' } };
}

export const seconds = () => Math.floor(Date.now() / 1_000);
export const encoded = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** Signs whatever it is given. `key`: null for no signature at all, bytes for an HMAC by them. */
export function signedBy(key: TestKey | Buffer | null, header: Json, claims: Json | string): string {
  const input = `${encoded(header)}.${encoded(claims)}`;
  if (key === null) return `${input}.`;
  if (Buffer.isBuffer(key)) return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`;
  const { alg, privateKey } = key;
  const hashed = alg === 'EdDSA' ? null : 'sha256';
  const options = { key: privateKey, ...(alg === 'ES256' ? { dsaEncoding: 'ieee-p1363' as const } : {}) };
  return `${input}.${sign(hashed, Buffer.from(input), options).toString('base64url')}`;
}

/** An issuer that publishes keys and answers questions, as long as it is told to. */
export class TestIssuer implements AsyncDisposable {
  keys: TestKey[];
  /** What it answers where its keys are; replaced by a test that wants it otherwise. */
  answer: (request: IncomingMessage, response: ServerResponse) => void = (_, response) =>
    void response
      .setHeader('content-type', 'application/json')
      .end(JSON.stringify({ keys: this.keys.map(({ jwk }) => jwk) }));
  asked = 0;
  private readonly server: Server;

  private constructor() {
    this.keys = [testKey('one')];
    this.server = createServer((request, response) => {
      this.asked++;
      this.answer(request, response);
    });
  }

  static async start(): Promise<TestIssuer> {
    const issuer = new TestIssuer();
    issuer.server.listen(0, '127.0.0.1');
    await once(issuer.server, 'listening');
    return issuer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Its part of the document of users. */
  settings(more: Json = {}): Json {
    return {
      name: 'staff',
      issuer: this.url,
      audience: 'orders',
      jwks: { url: `${this.url}/jwks` },
      ...more,
    };
  }

  claims(more: Json = {}): Json {
    const now = seconds();
    return {
      iss: this.url,
      aud: 'orders',
      sub: 'alice',
      iat: now,
      exp: now + 600,
      scope: 'orders:read',
      ...more,
    };
  }

  /** A good token, but for what is said otherwise. */
  token(claims: Json = {}, header: Json = {}, key = this.keys[0]!): string {
    return signedBy(key, { alg: key.alg, kid: key.kid, typ: 'at+jwt', ...header }, this.claims(claims));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}
