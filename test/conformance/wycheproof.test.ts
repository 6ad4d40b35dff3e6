import assert from 'node:assert/strict';
import {
  CONTENT_ENCRYPTIONS,
  Fault,
  KEY_ENCRYPTIONS,
  KeySetError,
  type OpeningKey,
  openToken,
  PUBLIC_SIGNATURES,
  readKeySet,
  readToken,
  SECRET_SIGNATURES,
  verifySignature,
} from '../../lib/token/index.ts';
import { published } from './published.ts';

type Jwk = Readonly<Record<string, unknown>>;
type Vector = {
  readonly tcId: number;
  readonly comment: string;
  /** In JSON serialisation it is no text, and so no bearer token. */
  readonly jws?: unknown;
  readonly jwe?: unknown;
  readonly pt?: string;
  readonly result: 'valid' | 'invalid';
};
type Group = {
  readonly comment: string;
  readonly private: Jwk;
  readonly public?: Jwk;
  readonly tests: readonly Vector[];
};

const RSA1_5 = 'RSA1_5 is not offered';
/** Where we do the opposite of what is published, and why. */
const OTHERWISE: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  json_web_signature_test: {
    346: 'the key is for PS256, the token is signed by PS384',
    347: 'the key is for ES521, which is no algorithm',
    350: 'the key is for PS256, the token is signed by PS384',
    351: 'the key is for ES521, which is no algorithm',
    367: 'the very token that 357 holds to be valid: its padding was lost on the way into the file',
    370: 'the very token that 357 holds to be valid: its padding was lost on the way into the file',
    372: 'a question mark is not base64url',
    373: 'a question mark is not base64url',
  },
  json_web_encryption_test: {
    ...Object.fromEntries([100, 101, 102, 103, 104, 105, 112, 128].map((id) => [id, RSA1_5])),
    135: 'a compressed token is not opened',
  },
};
const FILES = [
  'json_web_signature_test',
  'json_web_key_test',
  'json_web_crypto_test',
  'json_web_encryption_test',
];

for (const file of FILES) {
  const data = published(`wycheproof/${file}.json`) as { readonly testGroups: readonly Group[] } | null;
  describe(`wycheproof: ${file}`, () => {
    if (data === null)
      it.skip(
        'is left out: put testvectors_v1 of C2SP/wycheproof where SIGNET_VECTORS points, as wycheproof/',
      );
    for (const group of data?.testGroups ?? []) {
      for (const vector of group.tests) {
        const why = OTHERWISE[file]?.[vector.tcId];
        const valid = (vector.result === 'valid') !== (why !== undefined);
        const title = `${vector.tcId} ${group.comment} ${vector.comment} is ${valid ? 'valid' : 'refused'}`;
        it(why === undefined ? title : `${title}: ${why}`, async () => {
          const { jws, jwe, pt } = vector;
          const fault = jws === undefined ? await opened(group, jwe, pt) : await signedBy(group, jws);
          if (valid) assert.equal(fault, null);
          else assert.notEqual(fault, null);
        });
      }
    }
  });
}

/** Null: verified. */
async function signedBy(group: Group, jws: unknown): Promise<string | null> {
  if (typeof jws !== 'string') return 'not a text';
  const token = readToken(jws);
  if (token instanceof Fault) return token.reason;
  if (token.kind !== 'signed') return token.kind;
  const secret = group.public === undefined;
  try {
    const { keys } = readKeySet(group.public ?? group.private, secret ? 'secret' : 'public');
    const fault = await verifySignature(token, keys, new Set(secret ? SECRET_SIGNATURES : PUBLIC_SIGNATURES));
    return fault?.reason ?? null;
  } catch (error) {
    assert.ok(error instanceof KeySetError, String(error));
    return error.message;
  }
}

/** Null: opened, and what it holds is what is published. */
async function opened(group: Group, jwe: unknown, plain?: string): Promise<string | null> {
  if (typeof jwe !== 'string') return 'not a text';
  const token = readToken(jwe);
  if (token instanceof Fault) return token.reason;
  if (token.kind !== 'sealed') return token.kind;
  const { alg } = group.private as { readonly alg: string };
  const key: OpeningKey = {
    kid: null,
    jwk: group.private,
    algorithms: new Set(Object.hasOwn(KEY_ENCRYPTIONS, alg) ? [alg] : ['dir']),
    encryptions: new Set(CONTENT_ENCRYPTIONS),
  };
  const content = await openToken(token, key);
  if (content instanceof Fault) return content.reason;
  if (plain !== undefined) assert.equal(content.toString('hex'), plain);
  return null;
}
