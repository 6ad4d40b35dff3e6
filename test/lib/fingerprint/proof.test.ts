import assert from 'node:assert/strict';
import { createHmac, sign } from 'node:crypto';
import { bodyClaim, MOST_COVERED, type ProvenRequest } from '../../../lib/fingerprint/index.ts';
import {
  assertionBy,
  claimsIn,
  encode,
  GET,
  judgeOf,
  keys,
  later,
  NOW,
  post,
  type Sides,
  sides,
  WEB,
} from './sides.ts';

type Change = (claims: Record<string, unknown>) => object;

/** The token of `request` with a header and claims of the test's own, signed by the key that belongs to them. */
function forged(s: Sides, header: object, change: Change = (claims) => claims, request = GET): string {
  const input = `${encode(JSON.stringify(header))}.${encode(JSON.stringify(change(claimsIn(s.maker.make(request, NOW)))))}`;
  return signed(s, input, (header as { alg: string }).alg);
}

function signed({ channel, privateKey }: Sides, input: string, alg: string): string {
  return alg === 'HS256'
    ? `${input}.${channel.key.mac(input, 'base64url')}`
    : `${input}.${encode(sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }))}`;
}

const HEADERS = { channel: { alg: 'HS256', typ: 'wpt+jwt' }, signed: { alg: 'ES256', typ: 'wpt+jwt' } };

for (const mode of ['channel', 'signed'] as const) {
  describe(`a request's proof (${mode})`, () => {
    const header = HEADERS[mode];

    it('holds for the request it is of', () => {
      const { maker, judge } = sides(mode);
      const query = Buffer.from('a=1&b="');
      for (const request of [GET, post('hello'), { ...GET, query }, { ...GET, query: Buffer.alloc(0) }])
        assert.equal(judge.judge(maker.make(request, NOW), request, NOW), null);
    });

    it('says what it covers', () => {
      const { maker, channel } = sides(mode);
      const claims = claimsIn(maker.make({ ...post('hello'), query: Buffer.from('x=1') }, NOW));
      assert.deepEqual(claims, {
        aud: 'https://orders/a',
        cb: channel.binding,
        cd: 'sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:',
        exp: Math.floor(NOW.getTime() / 1000) + 10,
        htm: 'POST',
        iat: Math.floor(NOW.getTime() / 1000),
        jti: `${channel.binding.slice(0, 16)}.0`,
        qh: 'HyBrEcI-KMwlDe1_wAmNOCOoRnpUNA8axOU1y4VEST8',
      });
    });

    it('holds once', () => {
      const { maker, judge } = sides(mode);
      const token = maker.make(GET, NOW);
      assert.equal(judge.judge(token, GET, NOW), null);
      assert.equal(judge.judge(token, GET, NOW), 'proof_replayed');
    });

    it('is not spent by a request it is not of', () => {
      const { maker, judge } = sides(mode);
      const token = maker.make(GET, NOW);
      assert.equal(judge.judge(token, { ...GET, path: '/b' }, NOW), 'proof_path');
      assert.equal(judge.judge(token, GET, NOW), null);
    });

    const others: readonly (readonly [string, ProvenRequest, ProvenRequest])[] = [
      ['proof_method', GET, { ...GET, method: 'DELETE' }],
      ['proof_path', GET, { ...GET, path: '/a/b' }],
      ['proof_path', { ...GET, path: `/${'a'.repeat(600)}` }, { ...GET, path: `/${'a'.repeat(599)}b` }],
      ['proof_audience', GET, { ...GET, host: 'order' }],
      ['proof_audience', GET, { ...GET, host: 'orders:81' }],
      ['proof_query', GET, { ...GET, query: Buffer.from('all') }],
      ['proof_query', GET, { ...GET, query: Buffer.alloc(0) }],
      ['proof_query', { ...GET, query: Buffer.from('a') }, { ...GET, query: Buffer.from('b') }],
      ['proof_query', { ...GET, query: Buffer.from('a') }, GET],
      ['proof_body', post('hello'), post('hallo')],
      ['proof_body', { ...GET, method: 'POST' }, post('hello')],
      ['proof_body', post('hello'), { ...GET, method: 'POST' }],
      ['proof_body', { ...post('hello'), body: 'uncovered' }, post('hello')],
      ['proof_body', post('hello'), { ...post('hello'), body: 'uncovered' }],
    ];
    for (const [fault, made, came] of others)
      it(`is not that of another: ${fault}, ${made.method} ${made.body} for ${came.method} ${came.body}`, () => {
        const { maker, judge } = sides(mode);
        assert.equal(judge.judge(maker.make(made, NOW), came, NOW), fault);
      });

    for (const [what, seconds, fault] of [
      ['in time', 9, null],
      ['within what clocks may differ', 14, null],
      ['too late', 16, 'proof_expired'],
      ['a little before it was made', -4, null],
      ['long before it was made', -7, 'proof_future'],
    ] as const)
      it(`${what}: ${fault ?? 'holds'}`, () => {
        const { maker, judge } = sides(mode);
        assert.equal(judge.judge(maker.make(GET, NOW), GET, later(seconds)), fault);
      });

    it('tells how far the clocks are apart', () => {
      const { maker, judge } = sides(mode);
      judge.judge(maker.make(GET, later(4)), GET, NOW);
      assert.equal(judge.skew, 3.5);
      judge.judge(maker.make(GET, NOW), GET, NOW);
      assert.equal(judge.skew, 0);
      judge.judge(maker.make(GET, NOW), GET, later(3));
      assert.equal(judge.skew, -2.5);
    });

    it('is not that of another connection', () => {
      const [here, there] = [sides(mode), sides(mode, mode, 2)];
      assert.equal(here.judge.judge(there.maker.make(GET, NOW), GET, NOW), 'proof_channel');
    });

    it('with the name of this connection, and by another key', () => {
      const [here, there] = [sides(mode), sides(mode, mode, 2)];
      const [first, claims] = here.maker.make(GET, NOW).split('.');
      const token = signed({ ...there, privateKey: keys().privateKey }, `${first}.${claims}`, header.alg);
      assert.equal(here.judge.judge(token, GET, NOW), 'proof_signature');
    });

    const malformed: readonly (readonly [string, (s: Sides) => string])[] = [
      ['nothing', () => ''],
      ['one part', () => encode('{}')],
      ['two parts', (s) => s.maker.make(GET, NOW).split('.').slice(0, 2).join('.')],
      ['four parts', (s) => `${s.maker.make(GET, NOW)}.${encode('x')}`],
      ['no signature', (s) => s.maker.make(GET, NOW).replace(/[^.]*$/, '')],
      ['padding', (s) => `${s.maker.make(GET, NOW)}=`],
      ['a character of other base64', (s) => s.maker.make(GET, NOW).replace(/.$/, '/')],
      ['bits behind the end', (s) => `${s.maker.make(GET, NOW).slice(0, -1)}_`],
      ['another type', (s) => forged(s, { ...header, typ: 'JWT' })],
      ['no type', (s) => forged(s, { alg: header.alg })],
      ['no algorithm', (s) => forged(s, { ...header, alg: 'none' })],
      ['an algorithm in other letters', (s) => forged(s, { ...header, alg: header.alg.toLowerCase() })],
      ['RS256', (s) => forged(s, { ...header, alg: 'RS256' })],
      ['something that must be understood', (s) => forged(s, { ...header, crit: ['exp'] })],
      ['an unencoded payload', (s) => forged(s, { ...header, b64: 'false' })],
      ['a key of its own', (s) => forged(s, { ...header, jwk: { kty: 'EC' } })],
      ['no expiry', (s) => forged(s, header, ({ exp: _, ...rest }) => rest)],
      ['an expiry as text', (s) => forged(s, header, (claims) => ({ ...claims, exp: `${claims['exp']}` }))],
      [
        'an expiry that is no whole number',
        (s) => forged(s, header, (c) => ({ ...c, exp: Number(c['exp']) + 0.5 })),
      ],
      ['an expiry below zero', (s) => forged(s, header, (claims) => ({ ...claims, exp: -1 }))],
      ['an expiry far away', (s) => forged(s, header, (c) => ({ ...c, exp: Number(c['exp']) + 3600 }))],
      ['an expiry before it was made', (s) => forged(s, header, (c) => ({ ...c, exp: c['iat'] }))],
      ['several audiences', (s) => forged(s, header, (claims) => ({ ...claims, aud: [claims['aud']] }))],
      ['no name', (s) => forged(s, header, ({ jti: _, ...rest }) => rest)],
      ['a name of its own', (s) => forged(s, header, (claims) => ({ ...claims, jti: 'x' }))],
      [
        'a number with a zero before it',
        (s) => forged(s, header, (c) => ({ ...c, jti: `${c['jti']}`.replace('.', '.0') })),
      ],
      ['a digest as number', (s) => forged(s, header, (claims) => ({ ...claims, cd: 1 }))],
      [
        'a claim twice',
        (s) => {
          const claims = JSON.stringify(claimsIn(s.maker.make(GET, NOW))).replace('{', '{"htm":"PUT",');
          return signed(s, `${encode(JSON.stringify(header))}.${encode(claims)}`, header.alg);
        },
      ],
      ['more than is read', (s) => `${s.maker.make(GET, NOW)}${'A'.repeat(16_384)}`],
    ];
    for (const [what, make] of malformed)
      it(`${what}: malformed`, () => {
        const s = sides(mode);
        assert.equal(s.judge.judge(make(s), GET, NOW), 'proof_malformed');
      });

    it('other claims may stand beside its own', () => {
      const s = sides(mode);
      assert.equal(
        s.judge.judge(
          forged(s, header, (c) => ({ ...c, wth: 'x' })),
          GET,
          NOW,
        ),
        null,
      );
    });

    it('any change of any character is found', () => {
      const s = sides(mode);
      const token = s.maker.make(post('hello'), NOW);
      for (let i = 0; i < token.length; i += 1) {
        const other = token[i] === 'A' ? 'B' : 'A';
        const changed = token.slice(0, i) + other + token.slice(i + 1);
        assert.notEqual(s.judge.judge(changed, post('hello'), NOW), null, `at ${i}`);
      }
      assert.equal(s.judge.judge(token, post('hello'), NOW), null);
    });
  });
}

describe("a request's proof", () => {
  it('by the connection, where each has to be signed: weak', () => {
    const { maker, judge } = sides('channel', 'signed');
    assert.equal(judge.judge(maker.make(GET, NOW), GET, NOW), 'proof_weak');
  });

  it('signed, where the connection is enough', () => {
    const { maker, judge } = sides('signed', 'channel');
    assert.equal(judge.judge(maker.make(GET, NOW), GET, NOW), null);
  });

  it('HS256 with the public key as its secret is no proof', () => {
    const s = sides('signed', 'off');
    const [, claims] = s.maker.make(GET, NOW).split('.');
    const input = `${encode(JSON.stringify(HEADERS.channel))}.${claims}`;
    const macs = [
      s.publicKey.export({ type: 'spki', format: 'pem' }),
      s.publicKey.export({ type: 'spki', format: 'der' }),
    ].map((key) => createHmac('sha256', key).update(input).digest('base64url'));
    for (const mac of macs) assert.equal(s.judge.judge(`${input}.${mac}`, GET, NOW), 'proof_channel');
    s.judge.hear(assertionBy(s, s.privateKey, WEB));
    for (const mac of macs) assert.equal(s.judge.judge(`${input}.${mac}`, GET, NOW), 'proof_signature');
  });

  it('by the connection means nothing before the SVID has said that the connection is its own', () => {
    const s = sides('channel');
    const other = keys();
    const fresh = judgeOf(s);
    assert.equal(fresh.judge(s.maker.make(GET, NOW), GET, NOW), 'proof_channel');
    fresh.hear('nonsense');
    fresh.hear(assertionBy(s, other.privateKey, WEB));
    fresh.hear(assertionBy(s, s.privateKey, 'spiffe://example.org/ns/shop/sa/other'));
    fresh.hear(sides('channel', 'channel', 2).maker.assertion(NOW)!);
    fresh.hear(s.maker.make(GET, NOW));
    assert.equal(fresh.judge(s.maker.make(GET, NOW), GET, NOW), 'proof_channel');
    assert.equal(fresh.awaits, true);
    fresh.hear(s.maker.assertion(NOW)!);
    assert.equal(fresh.awaits, false);
    assert.equal(fresh.judge(s.maker.make(GET, NOW), GET, NOW), null);
  });

  it('hears so many assertions that do not hold, and no more', () => {
    const judge = judgeOf(sides('channel'));
    for (let i = 0; i < 8; i++) judge.hear('nonsense');
    assert.equal(judge.awaits, false);
  });

  it('covers bodies up to a bound, of a length that is told, that come unasked', () => {
    const framing = { contentLength: MOST_COVERED, chunked: false, expect: false };
    assert.match(bodyClaim(framing, Buffer.alloc(MOST_COVERED))!, /^sha-256=:.{44}:$/);
    assert.equal(bodyClaim(framing, null), 'uncovered');
    assert.equal(bodyClaim({ ...framing, contentLength: -1, chunked: true }, null), 'uncovered');
    assert.equal(bodyClaim({ ...framing, contentLength: -1 }, null), null);
    assert.equal(bodyClaim({ ...framing, contentLength: 0 }, null), null);
  });
});
