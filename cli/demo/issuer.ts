import { generateKeyPairSync, sign } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Stands in for the identity provider of a company: it signs access tokens for end users (RFC 9068). */
export type Issuer = {
  /** For `SIGNET_USERS`. */
  readonly usersFile: string;
  /** An access token of a user with these scopes, good for five minutes. */
  token(subject: string, scope: string): string;
};

const ISSUER = 'https://login.example.org';
const AUDIENCE = 'https://shop.example.org';
const KEY_ID = 'demo-1';
const TOKEN_SECONDS = 300;

export async function createIssuer(dir: string): Promise<Issuer> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: KEY_ID, alg: 'ES256', use: 'sig' };
  await writeFile(join(dir, 'issuer-jwks.json'), JSON.stringify({ keys: [jwk] }));
  const usersFile = join(dir, 'users.json');
  const issuer = {
    ...{ name: 'login', issuer: ISSUER, audience: [AUDIENCE], algorithms: ['ES256'] },
    jwks: { file: 'issuer-jwks.json' },
  };
  await writeFile(usersFile, JSON.stringify({ issuers: [issuer] }));
  return {
    usersFile,
    token(subject, scope) {
      const iat = Math.floor(Date.now() / 1000);
      const claims = { iss: ISSUER, aud: AUDIENCE, sub: subject, scope, iat, exp: iat + TOKEN_SECONDS };
      const signed = [{ alg: 'ES256', typ: 'at+jwt', kid: KEY_ID }, claims].map(encoded).join('.');
      const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      return `${signed}.${signature.toString('base64url')}`;
    },
  };
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
