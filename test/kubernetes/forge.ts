import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

// biome-ignore lint/suspicious/noExplicitAny: claims of whatever form
type Claims = Record<string, any>;

/** A token with its claims changed, signed by `key` (PEM, RSA) or by nobody's. */
export function forgeToken(
  token: string,
  key: string | undefined,
  change: (claims: Claims) => Claims,
): string {
  const [header = '', claims = ''] = token.split('.');
  const changed = change(JSON.parse(Buffer.from(claims, 'base64url').toString()));
  const body = `${header}.${Buffer.from(JSON.stringify(changed)).toString('base64url')}`;
  return `${body}.${sign('sha256', Buffer.from(body), key === undefined ? strangerKey() : createPrivateKey(key)).toString('base64url')}`;
}

function strangerKey(): KeyObject {
  return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
}
