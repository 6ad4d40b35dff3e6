import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import {
  type ClaimRules,
  claimsFault,
  claimsOf,
  Fault,
  KeySetError,
  PUBLIC_SIGNATURES,
  readKeySet,
  readToken,
  USUAL_PLACES,
  userOf,
  verifySignature,
} from '../../../lib/token/index.ts';

const RULES: ClaimRules = {
  issuer: 'i',
  audience: ['a'],
  parties: null,
  types: ['at+jwt', 'jwt'],
  skewSeconds: 30,
};
const NOW = 1_000_000;
const GOOD = { iss: 'i', aud: 'a', sub: 's', exp: NOW + 60, iat: NOW };
const codeOf = (claims: object, rules: Partial<ClaimRules> = {}) =>
  claimsFault(null, { ...GOOD, ...claims }, { ...RULES, ...rules }, NOW)?.code ?? 'good';

describe('token: times', () => {
  for (const [what, claims, want] of [
    ['the last moment of the skew', { iat: NOW - 100, exp: NOW - 29 }, 'good'],
    ['the first moment after it', { iat: NOW - 100, exp: NOW - 30 }, 'token_expired'],
    ['nbf at the edge', { nbf: NOW + 30 }, 'good'],
    ['nbf beyond it', { nbf: NOW + 30.5 }, 'token_early'],
    ['iat at the edge', { iat: NOW + 30 }, 'good'],
    ['iat beyond it', { iat: NOW + 31 }, 'token_early'],
    ['no iat', { iat: undefined }, 'good'],
    ['a fraction of a second', { exp: NOW + 0.5 }, 'good'],
    ['exp below zero', { exp: -1 }, 'token_invalid'],
    ['exp in milliseconds', { exp: NOW * 1_000_000 }, 'token_invalid'],
    ['exp null', { exp: null }, 'token_invalid'],
    ['nbf a text', { nbf: '5' }, 'token_invalid'],
  ] as const)
    it(what, () => assert.equal(codeOf(claims), want));
});

describe('token: whose it is', () => {
  for (const [what, claims, rules, want] of [
    ['one of several audiences', { aud: ['b', 'a'] }, {}, 'good'],
    ['an audience and something else', { aud: ['a', 5] }, {}, 'token_audience'],
    ['an empty list', { aud: [] }, {}, 'token_audience'],
    ['another case', { aud: 'A' }, {}, 'token_audience'],
    ['the party allowed', { azp: 'p' }, { parties: ['p'] }, 'good'],
    ['no party', {}, { parties: ['p'] }, 'token_party'],
    ['a party called undefined', {}, { parties: ['undefined'] }, 'token_party'],
    ['another issuer', { iss: 'I' }, {}, 'token_invalid'],
  ] as const)
    it(what, () => assert.equal(codeOf(claims, rules as Partial<ClaimRules>), want));
});

describe('token: the reading of it', () => {
  const limits = { numRuns: 20_000, seed: 5 };

  it('takes any text for one of four things, and never throws', () => {
    const part = fc.oneof(
      fc.base64String({ maxLength: 12 }).map((text) => text.replaceAll('=', '')),
      fc.json({ maxDepth: 2 }).map((text) => Buffer.from(text).toString('base64url')),
      fc
        .record(
          {
            alg: fc.constantFrom('none', 'ES256', 5),
            kid: fc.anything(),
            enc: fc.constantFrom('A256GCM', undefined),
          },
          { requiredKeys: [] },
        )
        .map((header) => Buffer.from(JSON.stringify(header) ?? '').toString('base64url')),
      fc.string({ maxLength: 6 }),
    );
    const tokens = fc.oneof(
      fc.array(part, { maxLength: 6 }).map((parts) => parts.join('.')),
      fc.string(),
    );
    fc.assert(
      fc.property(tokens, (text) => {
        const token = readToken(text);
        if (token instanceof Fault) assert.equal(token.code, 'token_invalid');
        else if (token.kind === 'signed') claimsOf(token);
        else assert.ok(token.kind === 'opaque' || typeof token.header.enc === 'string');
      }),
      limits,
    );
  });

  it('has one spelling for each payload', () => {
    const header = Buffer.from('{"alg":"ES256"}').toString('base64url');
    const letters = fc.string({ unit: fc.constantFrom(...'AQgwEIMUYckos048=._-+/ '), maxLength: 3 });
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 20 }),
        letters,
        fc.nat(),
        fc.nat(3),
        (payload, noise, place, gone) => {
          const text = Buffer.from(payload).toString('base64url');
          const at = place % (text.length + 1);
          const other = text.slice(0, at) + noise + text.slice(at + gone);
          const [one, two] = [text, other].map((each) => readToken(`${header}.${each}.AAAA`));
          assert.ok(one !== undefined && !(one instanceof Fault) && one.kind === 'signed');
          if (two === undefined || two instanceof Fault || two.kind !== 'signed') return;
          assert.equal(one.payload.equals(two.payload), text === other);
        },
      ),
      limits,
    );
  });

  it('makes a user of claims, or says why not, whatever they are', () => {
    const value = fc.oneof(
      fc.string(),
      fc.double(),
      fc.constant(null),
      fc.array(fc.string(), { maxLength: 3 }),
      fc.object(),
    );
    const claims = fc.dictionary(
      fc.constantFrom('sub', 'scope', 'scp', 'roles', 'consents', 'acr', 'auth_time', 'iat', '__proto__'),
      value,
    );
    fc.assert(
      fc.property(claims, (said) => {
        const user = userOf(said, 'i', USUAL_PLACES);
        if (user instanceof Fault) return;
        for (const words of [user.scopes, user.roles, user.consents])
          for (const word of words) assert.equal(typeof word, 'string');
        assert.ok(typeof user.subject === 'string' && user.subject !== '');
      }),
      limits,
    );
  });
});

describe('token: keys', () => {
  it('are read or refused, whatever they are', () => {
    const member = fc.constantFrom(
      'kty',
      'kid',
      'alg',
      'use',
      'key_ops',
      'crv',
      'x',
      'y',
      'n',
      'e',
      'k',
      'd',
      'keys',
    );
    const value = fc.oneof(
      fc.constantFrom('EC', 'RSA', 'OKP', 'oct', 'P-256', 'AQAB', 'ES256', 'sig'),
      fc.string(),
      fc.double(),
      fc.constant(null),
      fc.array(fc.string()),
    );
    const key = fc.dictionary(member, value);
    fc.assert(
      fc.property(
        fc.oneof(key, fc.record({ keys: fc.array(key) }), fc.anything()),
        fc.constantFrom('public', 'secret'),
        (set, kind) => {
          try {
            for (const { jwk } of readKeySet(set, kind as 'public' | 'secret').keys) assert.ok(!('d' in jwk));
          } catch (error) {
            assert.ok(error instanceof KeySetError, String(error));
          }
        },
      ),
      { numRuns: 10_000, seed: 6 },
    );
  });

  it('of one name for two uses verify what they are for, and of one name for one use nothing', async () => {
    const pair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).publicKey.export({ format: 'jwk' });
    const token = readToken(
      `${Buffer.from('{"alg":"ES256","kid":"k"}').toString('base64url')}.e30.${'A'.repeat(86)}`,
    );
    assert.ok(!(token instanceof Fault) && token.kind === 'signed');
    const reasonWith = async (...keys: object[]) => {
      const set = readKeySet({ keys: keys.map((key) => ({ ...key, kid: 'k' })) }, 'public');
      return (await verifySignature(token, set.keys, new Set(PUBLIC_SIGNATURES)))?.reason;
    };
    assert.equal(await reasonWith(pair(), rsa), 'not signed by the key it names');
    assert.equal(await reasonWith(pair(), pair()), 'more than one key fits');
    assert.equal(await reasonWith(rsa), 'its key is for another algorithm');
    assert.equal(await reasonWith({ ...pair(), x: 'AAAA' }), 'not signed by the key it names');
  });
});
