import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CompactEncrypt } from 'jose';
import { ask, openSession } from '../http2/world.ts';
import { until } from '../sockets.ts';
import { seconds, signedBy, TestIssuer, testKey } from './issuer.ts';
import { outcome, usersWorld } from './world.ts';

/** A clock that a test sets. */
function settable() {
  let ahead = 0;
  return { now: () => new Date(Date.now() + ahead), add: (ms: number) => void (ahead += ms) };
}
/** The status of the answer. */
const bare = async (session: Parameters<typeof ask>[0], token: string) =>
  (await ask(session, { ':path': '/a', authorization: `Bearer ${token}` })).status;
const unavailable: TestIssuer['answer'] = (_, response) => void response.writeHead(503).end('{}');

describe('users: the keys of an issuer', () => {
  it('are read once for many, and again for a key that is not known, but not for each', async () => {
    await using w = await usersWorld();
    for (let i = 0; i < 5; i++) assert.equal(outcome(await w.present(w.issuer.token({ n: i }))), '200');
    assert.equal(w.issuer.asked, 1);
    const next = testKey('two');
    w.issuer.keys = [next, ...w.issuer.keys];
    assert.equal(outcome(await w.present(w.issuer.token({}, {}, next))), '200');
    assert.equal(w.issuer.asked, 2);
    for (let i = 0; i < 20; i++)
      assert.equal(
        outcome(await w.present(w.issuer.token({ n: i }, { kid: `guess${i}` }))),
        '401 token_invalid',
      );
    assert.equal(w.issuer.asked, 2);
  });

  it('are sought again after a while', async () => {
    const clock = settable();
    await using w = await usersWorld({ clock });
    assert.equal(outcome(await w.present(w.issuer.token({}, { kid: 'a' }))), '401 token_invalid');
    const next = testKey('two');
    w.issuer.keys = [next];
    const token = w.issuer.token({}, {}, next);
    assert.equal(outcome(await w.present(token)), '401 token_invalid');
    clock.add(11_000);
    assert.equal(outcome(await w.present(token)), '200');
  });

  it('that are gone take the users of remembered tokens with them', async () => {
    const clock = settable();
    await using w = await usersWorld({ clock });
    const token = w.issuer.token();
    assert.equal(outcome(await w.present(token)), '200');
    const next = testKey('two');
    w.issuer.keys = [next];
    assert.equal(outcome(await w.present(token)), '200', 'nobody has asked yet');
    assert.equal(outcome(await w.present(w.issuer.token({}, {}, next))), '200');
    assert.equal(outcome(await w.present(token)), '401 token_invalid');
    // the same name, another key
    w.issuer.keys = [{ ...testKey('two') }];
    clock.add(11_000);
    await w.users.reload();
    await until(() => w.logged.filter((line) => line.includes('"user_keys"')).length === 3);
    assert.equal(outcome(await w.present(w.issuer.token({}, {}, next))), '401 token_invalid');
  });

  it('serve on while the issuer is away, but not for ever; then it is the issuer who is told to be away', async () => {
    const clock = settable();
    await using w = await usersWorld({
      clock,
      document: (issuer) => ({ issuers: [issuer.settings({ keep_seconds: 600 })] }),
    });
    const hours = { exp: seconds() + 7_200 };
    assert.equal(outcome(await w.present(w.issuer.token(hours))), '200');
    w.issuer.answer = unavailable;
    await w.users.reload();
    await until(() => w.logged.some((line) => line.includes('user_keys_not_read')));
    assert.equal(outcome(await w.present(w.issuer.token({ ...hours, n: 1 }))), '200');
    clock.add(500_000);
    assert.equal(outcome(await w.present(w.issuer.token({ ...hours, n: 2 }))), '200');
    clock.add(200_000);
    const heard = await w.present(w.issuer.token(hours));
    assert.equal(outcome(heard), '503 issuer_unavailable');
    assert.match(heard, /^retry-after: \d+\r$/m);
    assert.equal(w.seen.length, 3);
  });

  for (const [what, answer] of [
    ['says that it cannot', unavailable],
    [
      'sends to another place',
      (_, response) => void response.writeHead(302, { location: '/elsewhere' }).end(),
    ],
    ['says what is no JSON', (_, response) => void response.end('<html>')],
    ['says what is no set of keys', (_, response) => void response.end('[]')],
    [
      'says more than anybody would',
      (_, response) => void response.end(`{"keys":[],"pad":"${'x'.repeat(300_000)}"}`),
    ],
    ['hangs up', (request) => void request.socket.destroy()],
  ] as [string, TestIssuer['answer']][])
    it(`are not there when the issuer ${what}, and are as soon as it has come back`, async () => {
      const clock = settable();
      await using w = await usersWorld({
        clock,
        document: (issuer) => {
          issuer.answer = answer;
          return { issuers: [issuer.settings()] };
        },
      });
      const { issuer } = w;
      const token = issuer.token();
      assert.equal(outcome(await w.present(token)), '503 issuer_unavailable');
      issuer.answer = (_, response) =>
        void response.end(JSON.stringify({ keys: issuer.keys.map(({ jwk }) => jwk) }));
      clock.add(2_000);
      assert.equal(outcome(await w.present(token)), '200');
    });

  it('are waited for no longer than a few seconds', async function () {
    this.timeout(20_000);
    await using w = await usersWorld({
      document: (issuer) => {
        issuer.answer = () => {};
        return { issuers: [issuer.settings()] };
      },
    });
    assert.equal(outcome(await w.present(w.issuer.token())), '503 issuer_unavailable');
    assert.equal(w.issuer.asked, 1);
  });

  it('that are unsound are left out, and told of', async () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey.export({ format: 'jwk' });
    const leaked = testKey('leaked');
    await using w = await usersWorld({
      document: (issuer) => {
        issuer.answer = (_, response) => {
          const keys = [
            { ...weak, kid: 'weak' },
            leaked.privateKey.export({ format: 'jwk' }),
            { kty: 'oct', k: 'c2VjcmV0', kid: 'hmac' },
            { ...issuer.keys[0]!.jwk, kid: 'enc', use: 'enc' },
            { kty: 'new' },
            ...issuer.keys.map(({ jwk }) => jwk),
          ];
          response.end(JSON.stringify({ keys }));
        };
        return { issuers: [issuer.settings()] };
      },
    });
    assert.equal(outcome(await w.present(w.issuer.token())), '200');
    const line = w.logged.find((each) => each.includes('"event":"user_keys"'))!;
    assert.match(line, /1024 bits.*a private one.*a symmetric one.*not for signatures.*not known/);
  });
});

describe('users: what is remembered', () => {
  it('ends with the token', async () => {
    const clock = settable();
    await using w = await usersWorld({ clock });
    const token = w.issuer.token({ exp: seconds() + 60 });
    assert.equal(outcome(await w.present(token)), '200');
    clock.add(80_000);
    assert.equal(outcome(await w.present(token)), '200', 'within the skew of clocks');
    clock.add(11_000);
    assert.equal(outcome(await w.present(token)), '401 token_expired');
    assert.equal(
      outcome(await w.present(w.issuer.token({ exp: seconds() + 60, n: 1 }))),
      '401 token_expired',
    );
  });

  it('is no refusal for long', async () => {
    const clock = settable();
    await using w = await usersWorld({ clock });
    const token = w.issuer.token({ nbf: seconds() + 33 });
    assert.equal(outcome(await w.present(token)), '401 token_early');
    clock.add(5_500);
    assert.equal(outcome(await w.present(token)), '200');
  });

  it('does not grow with bad tokens, which take no good one’s place', async () => {
    await using w = await usersWorld();
    const token = w.issuer.token();
    assert.equal(outcome(await w.present(token)), '200');
    using client = await w.dial();
    const many = 12_000;
    for (let i = 0; i < many; i++)
      client.send(`GET /a HTTP/1.1\r\nHost: orders\r\nAuthorization: Bearer bad${i}\r\n\r\n`);
    await client.hears((text) => text.length > many * 300 && text.split('token_invalid').length > many);
    using other = await w.dial();
    other.send(`GET /a HTTP/1.1\r\nHost: orders\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    await other.hears('200 OK');
    assert.equal(w.seen[0], w.seen[1], 'it was remembered');
  }).timeout(60_000);
});

describe('users: several issuers', () => {
  it('stand for themselves: keys of one sign nothing of another, and one that is away stops nobody else', async () => {
    await using other = await TestIssuer.start();
    await using w = await usersWorld({
      document: (issuer) => ({
        issuers: [issuer.settings(), other.settings({ name: 'partners', audience: ['shop', 'x'] })],
      }),
    });
    assert.equal(outcome(await w.present(w.issuer.token())), '200');
    assert.equal(outcome(await w.present(other.token({ aud: 'shop' }))), '200');
    // the same names of keys at both
    assert.equal(outcome(await w.present(w.issuer.token({}, {}, other.keys[0]))), '401 token_invalid');
    assert.equal(
      outcome(await w.present(w.issuer.token({ iss: other.url, aud: 'shop' }))),
      '401 token_invalid',
    );
    assert.equal(outcome(await w.present(other.token())), '401 token_audience');
    other.answer = () => {};
    using hanging = await w.dial();
    const unknown = other.token({ aud: 'shop' }, { kid: 'new' });
    hanging.send(`GET /a HTTP/1.1\r\nHost: orders\r\nAuthorization: Bearer ${unknown}\r\n\r\n`);
    await until(() => other.asked === 2);
    for (let i = 0; i < 5; i++) assert.equal(outcome(await w.present(w.issuer.token({ n: i }))), '200');
    assert.equal(hanging.received, '');
  });

  it('one that does not answer takes no more room than its share, however many wait for it', async () => {
    await using other = await TestIssuer.start();
    await using w = await usersWorld({
      document(issuer) {
        other.answer = () => {};
        return { issuers: [issuer.settings(), other.settings({ name: 'partners' })] };
      },
    });
    const session = await openSession(w.inbound.address, w.web);
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => openSession(w.inbound.address, w.web)),
    );
    const asked = clients.flatMap((client, c) =>
      Array.from({ length: 90 }, (_, i) => bare(client, other.token({ n: `${c} ${i}` }))),
    );
    // more than its share of 1,365 may not wait
    await until(() => w.logged.some((line) => line.includes('issuer_unavailable')));
    for (let i = 0; i < 5; i++) assert.equal(await bare(session, w.issuer.token({ n: i })), 200);
    assert.deepEqual([...new Set(await Promise.all(asked))], [503]);
    for (const client of [session, ...clients]) client.destroy();
  }).timeout(30_000);

  it('each have their own algorithms, clients, types and places for claims', async () => {
    const rsa = testKey('rsa', 'RS256');
    const ed = testKey('ed', 'EdDSA');
    await using w = await usersWorld({
      document: (issuer) => {
        issuer.keys = [rsa, ed, ...issuer.keys];
        const claims = {
          scope: '/permissions',
          roles: '/realm_access/roles',
          consents: ['/a~1b/0', '/consents'],
        };
        const more = {
          algorithms: ['RS256', 'EdDSA'],
          authorized_parties: ['web', 'app'],
          types: ['at+jwt'],
          claims,
        };
        return { issuers: [issuer.settings(more)] };
      },
    });
    const good = {
      azp: 'web',
      permissions: ['read all', 'write'],
      realm_access: { roles: 'Order Clerk' },
      'a/b': ['c'],
    };
    const say = (claims: object, header = {}, key = rsa) =>
      w.present(w.issuer.token({ ...good, ...claims }, header, key));
    assert.equal(outcome(await say({})), '200');
    const [user] = w.seen;
    assert.deepEqual(
      [[...user!.scopes], [...user!.roles], [...user!.consents]],
      [['read all', 'write'], ['Order Clerk'], ['c']],
    );
    assert.equal(outcome(await say({}, {}, ed)), '200');
    assert.equal(outcome(await say({}, {}, w.issuer.keys[2])), '401 token_invalid');
    assert.equal(outcome(await say({ azp: undefined, client_id: 'app' })), '200');
    assert.equal(outcome(await say({ azp: undefined })), '401 token_party');
    assert.equal(outcome(await say({ azp: 'evil', client_id: 'app' })), '401 token_party');
    assert.equal(outcome(await say({ azp: ['web'] })), '401 token_party');
    assert.equal(outcome(await say({}, { typ: 'JWT' })), '401 token_invalid');
    assert.equal(outcome(await say({}, { typ: undefined })), '401 token_invalid');
    assert.equal(outcome(await say({}, { typ: 'application/AT+JWT' })), '200');
  });

  it('may have symmetric keys where that is said, and nowhere else', async () => {
    const secret = Buffer.alloc(32, 7);
    const header = { alg: 'HS256', kid: 'h', typ: 'JWT' };
    await using w = await usersWorld({
      async document(issuer, folder) {
        await writeFile(
          join(folder, 'secret.json'),
          JSON.stringify({ kty: 'oct', k: secret.toString('base64url'), kid: 'h' }),
        );
        const { jwks: _, ...rest } = issuer.settings({
          symmetric_keys: { file: 'secret.json' },
          algorithms: ['HS256'],
        });
        return { issuers: [rest] };
      },
    });
    assert.equal(outcome(await w.present(signedBy(secret, header, w.issuer.claims()))), '200');
    assert.equal(outcome(await w.present(w.issuer.token())), '401 token_invalid');
    await writeFile(join(w.folder, 'secret.json'), '{"kty":"oct","k":"topsecret');
    await w.users.reload();
    assert.equal(w.users.status.stale, true);
    assert.doesNotMatch(w.logged.join(''), /topsecret/);
  });
});

describe('users: sealed tokens', () => {
  const seal = (
    content: string,
    key: KeyObject,
    header: { alg: string; enc: string; kid?: string; cty?: string },
  ) => new CompactEncrypt(Buffer.from(content)).setProtectedHeader(header).encrypt(key);

  it('are opened by the key of their issuer, and what is in them has to be signed', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
    await using w = await usersWorld({
      async document(issuer, folder) {
        await writeFile(join(folder, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
        return {
          issuers: [issuer.settings({ decryption: { key_file: 'key.pem', encryptions: ['A256GCM'] } })],
        };
      },
    });
    const usual = { alg: 'RSA-OAEP-256', enc: 'A256GCM', cty: 'JWT' };
    assert.equal(outcome(await w.present(await seal(w.issuer.token(), publicKey, usual))), '200');
    assert.equal(w.seen[0]!.subject, 'alice');
    const claims = JSON.stringify(w.issuer.claims());
    for (const [what, token] of [
      ['claims that nobody signed', await seal(claims, publicKey, usual)],
      ['a token of nobody', await seal(signedBy(null, { alg: 'none' }, w.issuer.claims()), publicKey, usual)],
      ['a sealed one again', await seal(await seal(w.issuer.token(), publicKey, usual), publicKey, usual)],
      ['another way to give the key', await seal(w.issuer.token(), publicKey, { ...usual, alg: 'RSA-OAEP' })],
      ['another encryption', await seal(w.issuer.token(), publicKey, { ...usual, enc: 'A128GCM' })],
      [
        'another key',
        await seal(w.issuer.token(), generateKeyPairSync('rsa', { modulusLength: 2_048 }).publicKey, usual),
      ],
    ] as const)
      assert.equal(outcome(await w.present(token)), '401 token_invalid', what);
  });

  it('go by the name of the key to one issuer, whose own they then have to be', async () => {
    await using other = await TestIssuer.start();
    const keys = {
      a: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
      b: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    };
    await using w = await usersWorld({
      async document(issuer, folder) {
        for (const [kid, { privateKey }] of Object.entries(keys))
          await writeFile(
            join(folder, `${kid}.json`),
            JSON.stringify({ ...privateKey.export({ format: 'jwk' }), kid }),
          );
        return {
          issuers: [
            issuer.settings({ decryption: { key_file: 'a.json' } }),
            other.settings({ name: 'partners', decryption: { key_file: 'b.json' } }),
          ],
        };
      },
    });
    const to = (kid: 'a' | 'b', token: string) =>
      seal(token, keys[kid].publicKey, { alg: 'ECDH-ES', enc: 'A256GCM', kid });
    assert.equal(outcome(await w.present(await to('a', w.issuer.token()))), '200');
    assert.equal(outcome(await w.present(await to('b', other.token()))), '200');
    assert.equal(outcome(await w.present(await to('a', other.token()))), '401 issuer_unknown');
    const unnamed = await seal(w.issuer.token(), keys.a.publicKey, { alg: 'ECDH-ES', enc: 'A256GCM' });
    assert.equal(outcome(await w.present(unnamed)), '401 token_invalid');
  });
});

describe('users: the file', () => {
  it('is read again when it changes, and one that cannot be understood changes nothing', async () => {
    await using w = await usersWorld();
    const { issuer } = w;
    const write = async (text: string) => {
      await writeFile(`${w.file}.new`, text);
      await rename(`${w.file}.new`, w.file);
    };
    assert.equal(outcome(await w.present(issuer.token())), '200');
    await write('{"issuers": [{"name": 5}], "rotues": []}');
    await until(() => w.users.status.stale);
    assert.match(
      w.logged.join(''),
      /"event":"users_refused".*"pointer":"\/rotues".*"pointer":"\/issuers\/0\/issuer"/,
    );
    assert.match(w.metrics.render(), /^signet_users_stale 1$/m);
    assert.equal(outcome(await w.present(issuer.token())), '200');
    await write(JSON.stringify({ issuers: [issuer.settings({ audience: 'billing' })] }));
    await until(() => !w.users.status.stale);
    assert.equal(outcome(await w.present(issuer.token())), '401 token_audience');
    assert.match(w.metrics.render(), /^signet_users_reloads_total\{result="refused"\} \d/m);
  });

  it('loses no keys when it is read while the issuer is away', async () => {
    await using w = await usersWorld();
    assert.equal(outcome(await w.present(w.issuer.token())), '200');
    w.issuer.answer = unavailable;
    await writeFile(
      w.file,
      JSON.stringify({ issuers: [w.issuer.settings()], routes: [{ user: 'required' }] }),
    );
    await w.users.reload();
    assert.equal(outcome(await w.present(w.issuer.token({ n: 1 }))), '200');
    assert.equal(outcome(await w.ask()), '401 user_required');
  });

  it('that never was understood lets nothing pass', async () => {
    await using w = await usersWorld({ document: () => ({}) });
    assert.equal(w.users.ready, false);
    assert.equal(outcome(await w.ask()), '503 users_unavailable');
    assert.deepEqual(w.seen, []);
  });

  it('shows what is in force, and counts outcomes by issuer', async () => {
    await using w = await usersWorld();
    await w.present(w.issuer.token());
    await w.present(w.issuer.token({ aud: 'x' }));
    await w.ask();
    const { issuers, stale } = w.users.status;
    assert.equal(stale, false);
    assert.deepEqual(
      issuers.map((each) => ({ ...each, confirmed_at: null })),
      [{ name: 'staff', keys: 1, confirmed_at: null, failures: 0 }],
    );
    const wanted = [
      'signet_users_total{code="ok",issuer="staff"} 1',
      'signet_users_total{code="token_audience",issuer="staff"} 1',
      'signet_users_total{code="none",issuer=""} 1',
      'signet_users_keys_total{issuer="staff",result="read"} 1',
    ];
    await until(
      () => wanted.every((line) => w.metrics.render().includes(line)),
      () => w.metrics.render(),
    );
  });
});
