import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { encoded, seconds, signedBy, type TestIssuer, testKey } from './issuer.ts';
import { challengeIn, outcome, usersWorld } from './world.ts';

type Json = Readonly<Record<string, unknown>>;
type Attack = [what: string, token: (issuer: TestIssuer) => string, want: string];

const stranger = testKey('one');
const rsa = testKey('rsa', 'RS256');
const header = (more: Json = {}) => ({ alg: 'ES256', kid: 'one', typ: 'at+jwt', ...more });
const sealed = (i: TestIssuer, more: Json, claims: Json = {}) =>
  signedBy(i.keys[0]!, header(more), i.claims(claims));
const spki = createPublicKey(rsa.privateKey).export({ type: 'spki', format: 'pem' });
const hmac = { alg: 'HS256', kid: 'rsa', typ: 'at+jwt' };
const now = seconds;

const attacks: Attack[] = [
  [
    'no signature, by `none`',
    (i) => signedBy(null, header({ alg: 'none' }), i.claims()),
    '401 token_invalid',
  ],
  [
    'no signature, by `None`',
    (i) => signedBy(null, header({ alg: 'None' }), i.claims()),
    '401 token_invalid',
  ],
  [
    '`none`, and the signature of another',
    (i) => `${encoded(header({ alg: 'none' }))}.${i.token().split('.').slice(1).join('.')}`,
    '401 token_invalid',
  ],
  ['its signature taken away', (i) => i.token().replace(/[^.]*$/, ''), '401 token_invalid'],
  [
    'the public key as the secret of an HMAC, as PEM',
    (i) => signedBy(Buffer.from(spki), hmac, i.claims()),
    '401 token_invalid',
  ],
  ['… as JSON', (i) => signedBy(Buffer.from(JSON.stringify(rsa.jwk)), hmac, i.claims()), '401 token_invalid'],
  [
    '… as its modulus',
    (i) => signedBy(Buffer.from(String(rsa.jwk['n']), 'base64url'), hmac, i.claims()),
    '401 token_invalid',
  ],
  ['an HMAC by nothing', (i) => signedBy(Buffer.alloc(0), hmac, i.claims()), '401 token_invalid'],
  [
    'a key of somebody else under the name of the issuer’s',
    (i) => signedBy(stranger, header(), i.claims()),
    '401 token_invalid',
  ],
  [
    'a key that the token brings along',
    (i) => signedBy(stranger, header({ jwk: stranger.jwk }), i.claims()),
    '401 token_invalid',
  ],
  [
    'an address for keys that the token brings along',
    (i) => signedBy(stranger, header({ kid: 'new', jku: `${i.url}/evil`, x5u: `${i.url}/evil` }), i.claims()),
    '401 token_invalid',
  ],
  ['a kid that is a path', (i) => sealed(i, { kid: '../../../dev/null' }), '401 token_invalid'],
  ['a kid that is no text', (i) => sealed(i, { kid: 1 }), '401 token_invalid'],
  ['a kid that every object has', (i) => sealed(i, { kid: 'constructor' }), '401 token_invalid'],
  ['an algorithm that every object has', (i) => sealed(i, { alg: 'constructor' }), '401 token_invalid'],
  ['the algorithm of another key', (i) => sealed(i, { alg: 'RS256' }), '401 token_invalid'],
  ['something critical', (i) => sealed(i, { crit: ['exp'] }), '401 token_invalid'],
  ['nothing critical', (i) => sealed(i, { crit: [] }), '401 token_invalid'],
  ['a payload that is not encoded', (i) => sealed(i, { b64: false }), '401 token_invalid'],
  [
    'an algorithm given twice',
    (i) => {
      const input = `${encoded('{"alg":"ES256","alg":"none","kid":"one"}')}.${encoded(i.claims())}`;
      return `${input}.${i.token().split('.')[2]}`;
    },
    '401 token_invalid',
  ],
  [
    'a subject given twice',
    (i) => signedBy(i.keys[0]!, header(), JSON.stringify(i.claims()).replace('{', '{"sub":"root",')),
    '401 token_invalid',
  ],
  ['claims that are a list', (i) => signedBy(i.keys[0]!, header(), '[]'), '401 token_invalid'],
  [
    'a changed claim',
    (i) => {
      const [head, , signature] = i.token().split('.');
      return `${head}.${encoded(i.claims({ sub: 'root' }))}.${signature}`;
    },
    '401 token_invalid',
  ],
  ['another spelling of its last letter', (i) => respelled(i.token()), '401 token_invalid'],
  ['padding', (i) => `${i.token()}==`, '401 token_invalid'],
  ['a fourth part', (i) => `${i.token()}.AA`, '401 token_invalid'],
  ['a logout token', (i) => sealed(i, { typ: 'logout+jwt' }), '401 token_invalid'],
  [
    'a logout token that says nothing',
    (i) =>
      sealed(i, { typ: 'JWT' }, { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }),
    '401 token_invalid',
  ],
  ['a workload’s identity token', (i) => sealed(i, { typ: 'wit+jwt' }), '401 token_invalid'],
  ['a workload’s proof token', (i) => sealed(i, { typ: 'application/wpt+jwt' }), '401 token_invalid'],
  ['a proof of possession', (i) => sealed(i, { typ: 'dpop+jwt' }), '401 token_invalid'],
  ['one that is bound to a key', (i) => i.token({ cnf: { jkt: 'x' } }), '401 token_invalid'],
  ['no issuer', (i) => i.token({ iss: undefined }), '401 issuer_unknown'],
  ['another issuer', (i) => i.token({ iss: 'https://evil.example' }), '401 issuer_unknown'],
  ['the issuer with a slash', (i) => i.token({ iss: `${i.url}/` }), '401 issuer_unknown'],
  ['a list of issuers', (i) => i.token({ iss: [i.url] }), '401 issuer_unknown'],
  ['another audience', (i) => i.token({ aud: 'billing' }), '401 token_audience'],
  ['no audience', (i) => i.token({ aud: undefined }), '401 token_audience'],
  ['an audience that only contains it', (i) => i.token({ aud: 'orders orders2' }), '401 token_audience'],
  ['an audience that is no text', (i) => i.token({ aud: [['orders']] }), '401 token_audience'],
  ['no end', (i) => i.token({ exp: undefined }), '401 token_invalid'],
  ['an end that is a text', (i) => i.token({ exp: '99999999999' }), '401 token_invalid'],
  [
    'an end beyond all time',
    (i) => signedBy(i.keys[0]!, header(), JSON.stringify(i.claims()).replace(/"exp":\d+/, '"exp":1e400')),
    '401 token_invalid',
  ],
  ['an end that is past', (i) => i.token({ iat: now() - 100, exp: now() - 31 }), '401 token_expired'],
  ['an end before its beginning', (i) => i.token({ iat: now() + 20, exp: now() + 10 }), '401 token_invalid'],
  ['a beginning to come', (i) => i.token({ nbf: now() + 60 }), '401 token_early'],
  ['an issue to come', (i) => i.token({ iat: now() + 60 }), '401 token_early'],
  ['no subject', (i) => i.token({ sub: undefined }), '401 token_invalid'],
  ['an empty subject', (i) => i.token({ sub: '' }), '401 token_invalid'],
  ['a scope that cannot be read', (i) => i.token({ scope: { admin: true } }), '401 token_invalid'],
  ['text that is no token', () => 'letmein', '401 token_invalid'],
];

/** The unused bits of the last letter set: lenient readers take it for the same signature. */
function respelled(token: string): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return token.slice(0, -1) + letters[letters.indexOf(token.at(-1)!) ^ 1];
}

describe('users: attacks', () => {
  it(`are refused, and a good token is taken in between: ${attacks.length} of them`, async () => {
    await using w = await usersWorld({
      document(issuer) {
        issuer.keys.push(rsa);
        return { issuers: [issuer.settings()] };
      },
    });
    for (const [what, token, want] of attacks) {
      const heard = await w.present(token(w.issuer));
      assert.equal(outcome(heard), want, what);
      assert.match(
        challengeIn(heard)!,
        /^Bearer realm="signet", error="invalid_token", error_description="[a-z ]+"$/,
      );
    }
    assert.deepEqual(w.seen, [], 'none of them reached the judgement');
    assert.equal(outcome(await w.present(w.issuer.token())), '200');
    assert.equal(outcome(await w.present(w.issuer.token({}, {}, rsa))), '200');
    assert.equal(w.app.connections.length > 0, true);
  });

  it('one that is a byte off a good one is another one, though the good one is remembered', async () => {
    await using w = await usersWorld();
    const token = w.issuer.token();
    assert.equal(outcome(await w.present(token)), '200');
    for (let i = 0; i < token.length; i += 7) {
      const other = `${token.slice(0, i)}${token[i] === 'A' ? 'B' : 'A'}${token.slice(i + 1)}`;
      assert.match(outcome(await w.present(other)), /^401 /, `letter ${i}`);
    }
    assert.equal(w.seen.length, 1);
  });

  it('what is said of a token is neither the token nor any part of it, in answers, log and audit', async () => {
    await using w = await usersWorld();
    const tokens = [...attacks.map(([, token]) => token(w.issuer)), w.issuer.token()];
    let said = '';
    for (const token of tokens) said += await w.present(token);
    said += w.logged.join('') + JSON.stringify(w.audit.events) + w.metrics.render();
    for (const token of tokens)
      for (const part of token.split('.').filter(({ length }) => length > 12))
        assert.ok(!said.includes(part));
    assert.match(said, /"event":"user_refused"/);
    for (const secret of ['alice', 'orders:read', 'billing']) assert.ok(!said.includes(secret), secret);
  });
});
