import assert from 'node:assert/strict';
import fc from 'fast-check';
import { RequestHead, scanRequest } from '../../../sidecar/http1/index.ts';
import { FOUND, findBearer, hasTokenInQuery } from '../../../sidecar/users/bearer.ts';
import { ask, openSession } from '../http2/world.ts';
import { problemIn } from '../inbound/world.ts';
import { challengeIn, outcome, type UsersWorld, usersWorld } from './world.ts';

describe('users: what a request shows', () => {
  it('makes a good token the user that the judgement is asked about', async () => {
    await using w = await usersWorld();
    const token = w.issuer.token({ roles: ['clerk'], acr: 'gold', auth_time: 5, team: 'x' });
    assert.equal(outcome(await w.present(token)), '200');
    const [user] = w.seen;
    assert.equal(w.seen.length, 1);
    assert.deepEqual(
      [user!.issuer, user!.subject, [...user!.scopes], [...user!.roles], [...user!.consents], user!.acr],
      [w.issuer.url, 'alice', ['orders:read'], ['clerk'], [], 'gold'],
    );
    assert.deepEqual([user!.authTime, user!.claims['team']], [5, 'x']);
    // and the app has what it was sent
    assert.match(w.app.received, /^Authorization: Bearer ey/m);
  });

  it('is nobody without a token, and the request is judged as such', async () => {
    await using w = await usersWorld();
    assert.equal(outcome(await w.ask()), '200');
    assert.equal(outcome(await w.ask('Authorization: Basic YTpi\r\n')), '200');
    assert.deepEqual(w.seen, [null, null]);
    assert.equal(challengeIn(await w.ask()), null);
  });

  it('is the same user for all who show the same token, which is looked at once', async () => {
    await using w = await usersWorld();
    const token = w.issuer.token();
    using client = await w.dial();
    const request = `GET /a HTTP/1.1\r\nHost: orders\r\nAuthorization: Bearer ${token}\r\n\r\n`;
    client.send(request.repeat(50));
    await client.hears((text) => text.split('200 OK').length === 51);
    assert.equal(new Set(w.seen).size, 1);
    assert.equal(w.seen.length, 50);
  });

  it('counts by HTTP/2 as well, each stream by itself', async () => {
    await using w = await usersWorld();
    const session = await openSession(w.inbound.address, w.web);
    const [alice, bob] = ['alice', 'bob'].map((sub) => w.issuer.token({ sub }));
    const answers = await Promise.all(
      [alice, bob, undefined, 'ey.ey.ey', alice, bob].map((token) =>
        ask(session, { ':path': '/a', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }),
      ),
    );
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200, 401, 200, 200],
    );
    assert.match(
      String(answers[3]!.fields['www-authenticate']),
      /^Bearer realm="signet", error="invalid_token"/,
    );
    const subjects = w.seen.map((user) => user?.subject ?? null).sort();
    assert.deepEqual(subjects, ['alice', 'alice', 'bob', 'bob', null].sort());
    session.destroy();
  });
});

describe('users: how a token is sent', () => {
  let w: UsersWorld;
  let token: string;
  before(async () => {
    w = await usersWorld();
    token = w.issuer.token();
  });
  after(() => w[Symbol.asyncDispose]());

  for (const [what, lines] of [
    ['as it should be', (t: string) => `Authorization: Bearer ${t}\r\n`],
    ['with a scheme of another case', (t: string) => `authorization: bEARER ${t}\r\n`],
    ['with space around it', (t: string) => `Authorization:  \t Bearer ${t}\t \r\n`],
  ] as const)
    it(`is taken ${what}`, async () => {
      assert.equal(outcome(await w.ask(lines(token))), '200');
      assert.equal(w.seen.at(-1)?.subject, 'alice');
    });

  for (const [what, lines] of [
    ['twice', (t: string) => `Authorization: Bearer ${t}\r\nAuthorization: Bearer ${t}\r\n`],
    ['beside another kind', (t: string) => `Authorization: Basic YTpi\r\nAuthorization: Bearer ${t}\r\n`],
    ['before another kind', (t: string) => `Authorization: Bearer ${t}\r\nauthorization: Basic YTpi\r\n`],
    ['behind another kind', (t: string) => `Authorization: Basic YTpi, Bearer ${t}\r\n`],
    ['before another', (t: string) => `Authorization: Bearer ${t}, Bearer ${t}\r\n`],
    ['behind a comma', (t: string) => `Authorization: ,Bearer ${t}\r\n`],
    ['behind two spaces', (t: string) => `Authorization: Bearer  ${t}\r\n`],
    ['behind a tab', (t: string) => `Authorization: Bearer\t${t}\r\n`],
    ['behind a colon', (t: string) => `Authorization: Bearer: ${t}\r\n`],
    ['as a parameter', (t: string) => `Authorization: Bearer token=${t}\r\n`],
    ['in quotes', (t: string) => `Authorization: Bearer "${t}"\r\n`],
    ['with something behind', (t: string) => `Authorization: Bearer ${t} x\r\n`],
    ['with letters beyond ASCII', (t: string) => `Authorization: Bearer ${t}\xe9\r\n`],
    ['without itself', () => 'Authorization: Bearer\r\n'],
    ['without itself but for a space', () => 'Authorization: Bearer \r\n'],
    ['as nothing but padding', () => 'Authorization: Bearer ==\r\n'],
    ['joined to its scheme', (t: string) => `Authorization: Bearer${t}\r\n`],
  ] as const)
    it(`is refused ${what}`, async () => {
      const before = w.seen.length;
      const heard = await w.ask(lines(token));
      assert.equal(outcome(heard), '400 token_malformed');
      assert.match(
        challengeIn(heard)!,
        /^Bearer realm="signet", error="invalid_request", error_description="/,
      );
      assert.equal(w.seen.length, before);
    });

  for (const query of [
    'access_token=T',
    'a=1&access_token=T',
    'access%5Ftoken=T',
    'a;ACCESS_TOKEN=T',
    'access_token',
    'access_token[]=T',
  ])
    it(`is refused in the query: ?${query}`, async () => {
      const heard = await w.ask('', `/a?${query.replace('=T', `=${token}`)}`);
      assert.equal(outcome(heard), '400 token_malformed');
    });

  it('may be spoken of in a query', async () => {
    for (const query of ['no_access_token=1', 'access_token_type=2', 'q=access_token', '%zz'])
      assert.equal(outcome(await w.ask('', `/a?${query}`)), '200', query);
  });

  it('is no user when `Connection` takes it away, for the app as for us', async () => {
    assert.equal(
      outcome(await w.ask(`Connection: authorization\r\nAuthorization: Bearer ${token}\r\n`)),
      '200',
    );
    assert.equal(w.seen.at(-1), null);
    assert.doesNotMatch(w.app.received.split('GET ').at(-1)!, /uthorization/i);
  });

  it('is refused when it is longer than a token may be', async () => {
    await using roomy = await usersWorld({
      limits: { head: { headBytes: 65_536, fields: 100, targetBytes: 8_192 } },
    });
    const long = roomy.issuer.token({ pad: 'x'.repeat(16_000) });
    assert.equal(outcome(await roomy.present(long)), '401 token_invalid');
  });
});

describe('users: where one is needed', () => {
  const routes = [
    { path: { is: '/health' }, user: 'forbidden' },
    { path: { like: '/orders/{id}' }, methods: ['POST', 'DELETE'], user: 'required' },
    { path: { like: '/orders/{id}' }, user: 'optional' },
    { path: { starts: '/orders' }, user: 'required' },
  ];

  it('the first route that fits decides', async () => {
    await using w = await usersWorld({ document: (issuer) => ({ issuers: [issuer.settings()], routes }) });
    const send = async (method: string, path: string, token: boolean) => {
      using client = await w.dial();
      const lines = token ? `Authorization: Bearer ${w.issuer.token()}\r\n` : '';
      client.send(`${method} ${path} HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n${lines}\r\n`);
      return await client.ends();
    };
    for (const [method, path, without, having] of [
      ['GET', '/health', '200', '403 user_forbidden'],
      ['DELETE', '/orders/7', '401 user_required', '200'],
      ['GET', '/orders/7', '200', '200'],
      ['GET', '/orders', '401 user_required', '200'],
      ['GET', '/orders/7/lines', '401 user_required', '200'],
      ['GET', '/orders-old', '200', '200'],
    ] as const) {
      assert.equal(outcome(await send(method, path, false)), without, `${method} ${path}`);
      assert.equal(outcome(await send(method, path, true)), having, `${method} ${path}`);
    }
    const heard = await send('GET', '/orders', false);
    // RFC 6750 §3.1: who sent nothing is told of no error
    assert.equal(challengeIn(heard), 'Bearer realm="signet"');
    assert.equal(problemIn(heard)['code'], 'user_required');
  });
});

describe('users: the reading of a head', () => {
  it('finds a token exactly where there is one line of it, whatever else there is', () => {
    const head = new RequestHead();
    const span = { start: 0, end: 0 };
    const name = fc.constantFrom(
      'authorization',
      'Authorization',
      'AUTHORIZATION',
      'x-authorization',
      'authorizatio',
      'a',
    );
    const value = fc.oneof(
      fc.constantFrom(
        'Bearer abc',
        'bearer abc.def==',
        'Bearer',
        'Bearer  a',
        'Basic YTpi',
        'Basic a, Bearer b',
        '',
        'Bearer a b',
      ),
      fc.string({ maxLength: 20 }).map((text) => text.replace(/[^\x20-\x7e]/g, '')),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, value), { maxLength: 5 }),
        fc.string({ maxLength: 12 }),
        (lines, query) => {
          const target = `/a?${query.replace(/[^\x21-\x7e]|#/g, '')}`;
          const text = `GET ${target} HTTP/1.1\r\nhost: a\r\n${lines.map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\n`;
          const bytes = Buffer.from(text, 'latin1');
          const limits = { headBytes: 16_384, fields: 100, targetBytes: 8_192 };
          if (scanRequest(bytes, 0, bytes.length, limits, head) < 0) return;
          const own = lines.filter(([n]) => n.toLowerCase() === 'authorization').map(([, v]) => v.trim());
          const wanted = own.length === 1 ? /^bearer ([\w.~+/-]+=*)$/i.exec(own[0]!)?.[1] : undefined;
          const found =
            findBearer(head, span) === FOUND ? bytes.toString('latin1', span.start, span.end) : undefined;
          assert.equal(found, wanted);
          assert.equal(typeof hasTokenInQuery(head), 'boolean');
        },
      ),
      { numRuns: 5_000, seed: 7 },
    );
  });
});
