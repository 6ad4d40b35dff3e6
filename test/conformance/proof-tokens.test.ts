import assert from 'node:assert/strict';
import { createPublicKey, hash, verify, type webcrypto } from 'node:crypto';
import { isEs256, isHs256, MacKey, readJws } from '../../lib/fingerprint/index.ts';
import { published, publishedText } from './published.ts';

const TOKENS = ['wit.txt', 'wpt.txt', 'wpt-request.txt'].map((name) =>
  publishedText(`wimse/${name}`)?.trim(),
);

describe("proof tokens: the WIMSE drafts' examples", () => {
  before(function () {
    if (TOKENS[0] !== undefined) return;
    console.log('wimse/ (the examples of draft-ietf-wimse-*) is not beside the checkout: left out');
    this.skip();
  });

  it('are read as they are published', () => {
    const [wit, wpt] = TOKENS.map((text) => readJws(text!));
    assert.deepEqual({ alg: wit!.alg, typ: wit!.typ }, { alg: 'ES256', typ: 'wit+jwt' });
    assert.deepEqual({ alg: wpt!.alg, typ: wpt!.typ }, { alg: 'EdDSA', typ: 'wpt+jwt' });
    assert.equal(wit!.signature.length, 64);
    assert.equal(JSON.parse(wpt!.payload).aud, 'https://workload.example.com/path');
  });

  it('the proof token is signed by the key that the identity token names', () => {
    const [wit, wpt] = TOKENS.map((text) => readJws(text!));
    const jwk = JSON.parse(wit!.payload).cnf.jwk as JsonWebKey;
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const signed = (input: string) => verify(null, Buffer.from(input), key, wpt!.signature);
    assert.equal(signed(wpt!.input), true);
    assert.equal(signed(`${wpt!.input}A`), false);
  });

  it('the proof token names those that it travels with by their hashes, as ours names the query', () => {
    const { ath, wth } = JSON.parse(readJws(TOKENS[1]!)!.payload);
    const bearer = /^Authorization: Bearer (\S+)/m.exec(TOKENS[2]!)![1]!;
    assert.equal(ath, hash('sha256', bearer, 'base64url'));
    assert.equal(wth, hash('sha256', TOKENS[0]!, 'base64url'));
  });

  it('the request carries these very tokens', () => {
    const [wit, wpt, request] = TOKENS;
    assert.equal(/^Workload-Proof-Token: (\S+)/m.exec(request!)![1], wpt);
    assert.equal(/^Workload-Identity-Token: (\S+)/m.exec(request!)![1], wit);
  });
});

type JsonWebKey = webcrypto.JsonWebKey;

const FILE = 'wycheproof/json_web_signature_test.json';
type Group = {
  readonly public?: JsonWebKey & { readonly alg?: string };
  readonly private: JsonWebKey & { readonly alg?: string };
  readonly tests: readonly { tcId: number; comment: string; jws: unknown; result: 'valid' | 'invalid' }[];
};

/** Base64url with characters that are not of it, and space in a header: other spellings of what has one spelling to us. */
const STRICTER = [
  '372 InvalidCharacterInsertedInHeader',
  '373 InvalidCharacterInsertedInPayload',
  '376 ValidSpacesInJsonHeader',
  '377 ValidWhiteSpaceInJsonHeader',
];

describe('proof tokens: the signatures of Project Wycheproof', () => {
  const groups = (published(FILE) as { readonly testGroups: readonly Group[] } | null)?.testGroups;
  before(function () {
    if (groups !== undefined) return;
    console.log(`${FILE} (C2SP wycheproof) is not beside the checkout: left out`);
    this.skip();
  });

  /** Whether the token is one of ours, by this key. */
  const holds = (text: unknown, { public: open, private: secret }: Group): boolean => {
    const jws = typeof text === 'string' ? readJws(text) : null;
    const { alg } = open ?? secret;
    if (jws === null || jws.alg !== alg) return false;
    if (alg === 'ES256') return isEs256(jws, createPublicKey({ key: open!, format: 'jwk' }));
    return alg === 'HS256' && isHs256(jws, new MacKey(Buffer.from(secret.k!, 'base64url')));
  };

  it('nothing that is invalid holds', () => {
    // two texts are published as both: their flaw was lost before they were
    const valid = new Set(
      (groups ?? [])
        .flatMap(({ tests }) => tests.filter(({ result }) => result === 'valid'))
        .map(({ jws }) => jws),
    );
    const wrong = (groups ?? []).flatMap((group) =>
      group.tests
        .filter(({ jws, result }) => result === 'invalid' && !valid.has(jws) && holds(jws, group))
        .map(({ tcId }) => tcId),
    );
    assert.deepEqual(wrong, []);
  });

  it('what is valid holds, where its algorithm is one of ours', () => {
    const ours = (groups ?? []).filter((group) =>
      /^(?:ES|HS)256$/.test((group.public ?? group.private).alg ?? ''),
    );
    const valid = ours.flatMap((group) =>
      group.tests.filter(({ result }) => result === 'valid').map((test) => ({ test, group })),
    );
    const left = valid
      .filter(({ test, group }) => !holds(test.jws, group))
      .map(({ test }) => `${test.tcId} ${test.comment}`);
    assert.ok(valid.length > 10, `${valid.length} of ${ours.length} groups`);
    assert.deepEqual(left, STRICTER);
  });
});
