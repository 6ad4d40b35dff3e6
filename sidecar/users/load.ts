import { createPrivateKey } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import type { JWK } from 'jose';
import { Secret } from '../../lib/secret.ts';
import { isObject, KEY_ENCRYPTIONS, type OpeningKey, readKeySet } from '../../lib/token/index.ts';
import { parseAuthorities } from '../config/values.ts';
import { allOrNothing, type Place } from './defects.ts';
import { type IssuerSettings, type OpeningSettings, parseUsers, type UsersDocument } from './document.ts';

/** An issuer's settings with what its files hold; `keys` is what a file of keys held when it was looked at. */
export type LoadedIssuer = {
  readonly settings: IssuerSettings;
  readonly ca: string | null;
  readonly clientSecret: Secret | null;
  readonly opening: OpeningKey | null;
};
export type LoadedUsers = {
  readonly routes: UsersDocument['routes'];
  readonly issuers: readonly LoadedIssuer[];
};

type ReadFile = (path: string) => Promise<Buffer>;
const LARGEST_FILE = 1_048_576;

/**
 * Reads the document and every file it names.
 * @throws InputError with every defect, or the system's error when the document itself cannot be read
 */
export async function loadUsers(file: string, readFile: ReadFile): Promise<LoadedUsers> {
  const content = await readFile(file);
  if (content.length > LARGEST_FILE) throw new Error(`the file of users is over ${LARGEST_FILE} bytes`);
  const document = parseUsers(content.toString());
  const contents = new Map<string, Buffer | null>();
  const read = async (name: string | null) => {
    if (name !== null) contents.set(name, await readFile(resolve(dirname(file), name)).catch(() => null));
  };
  for (const { source, opening } of document.issuers) {
    await read(source.caFile);
    await read(source.kind === 'introspection' ? source.secretFile : fileOf(source.from));
    await read(opening?.keyFile ?? null);
  }
  return allOrNothing('users', (place) => ({
    routes: document.routes,
    issuers: document.issuers.map((settings, i) => fill(settings, contents, place.at('issuers').at(i))),
  }));
}

/** The name of a file of keys; null: they are fetched. */
export function fileOf(from: URL | { readonly file: string }): string | null {
  return 'file' in from ? from.file : null;
}

function fill(
  settings: IssuerSettings,
  contents: ReadonlyMap<string, Buffer | null>,
  place: Place,
): LoadedIssuer {
  const { source, opening } = settings;
  const held = <T>(name: string | null, at: Place, read: (text: string) => T): T | null => {
    if (name === null) return null;
    const content = contents.get(name);
    if (content == null) at.flaw('names a file that cannot be read');
    else if (content.length > LARGEST_FILE) at.flaw('names a file that is too large');
    else {
      try {
        return read(content.toString());
      } catch {
        at.flaw('names a file that does not hold what it should');
      }
    }
    return null;
  };
  const asks = source.kind === 'introspection';
  const at = place.at(asks ? 'introspection' : source.secret ? 'symmetric_keys' : 'jwks');
  if (!asks)
    held(fileOf(source.from), at.at('file'), (text) => {
      const { keys } = readKeySet(JSON.parse(text), source.secret ? 'secret' : 'public');
      if (keys.length === 0) throw new Error('no key');
    });
  return {
    settings,
    ca: held(source.caFile, at.at('ca_file'), parseAuthorities),
    clientSecret: asks ? held(source.secretFile, at.at('client_secret_file'), readSecret) : null,
    opening:
      opening === null
        ? null
        : held(opening.keyFile, place.at('decryption').at('key_file'), (text) =>
            readOpeningKey(text, opening),
          ),
  };
}

function readSecret(text: string): Secret {
  const secret = text.replace(/\r?\n$/, '');
  if (!/^[\x20-\x7e]{1,4096}$/.test(secret)) throw new Error('no secret');
  return new Secret(secret);
}

/** A private key in PEM, or a private or symmetric one as a JWK. */
function readOpeningKey(text: string, { algorithms, encryptions }: OpeningSettings): OpeningKey {
  const jwk: unknown = text.includes('-----BEGIN')
    ? createPrivateKey(text).export({ format: 'jwk' })
    : JSON.parse(text);
  if (!isObject(jwk)) throw new Error('no key');
  const { kty, kid = null } = jwk;
  if (kid !== null && typeof kid !== 'string') throw new Error('no name');
  if (typeof jwk[kty === 'oct' ? 'k' : 'd'] !== 'string') throw new Error('no private key');
  if (![...algorithms].some((alg) => KEY_ENCRYPTIONS[alg]?.kty === kty)) throw new Error('no use for it');
  return { kid, jwk: jwk as JWK, algorithms, encryptions };
}
