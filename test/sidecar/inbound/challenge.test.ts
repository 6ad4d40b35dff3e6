import assert from 'node:assert/strict';
import type { User } from '../../../lib/policy/index.ts';
import { NO_SCREENS, type Users } from '../../../sidecar/inbound/screens.ts';
import { ask, openSession } from '../http2/world.ts';
import { problemIn, type World, world } from './world.ts';

const ALICE: User = {
  issuer: 'https://login.example.org',
  subject: 'alice',
  scopes: new Set(['orders:read']),
  roles: new Set(['clerk']),
  consents: new Set(),
  acr: 'pwd',
  authTime: 0,
  issuedAt: null,
  claims: {},
};
const users: Users = { identify: (head) => (head.target.path === '/nobody' ? null : ALICE) };

const DOCUMENTS = [
  { name: 'all', when: { path: { starts: '/pay' } } },
  {
    name: 'step-up',
    effect: 'deny',
    challenge: { acr_values: ['mfa', 'hw'], max_age: 300 },
    when: { not: { all: [{ 'user.acr': { in: ['mfa', 'hw'] } }, { 'user.auth_age': { below: 300 } }] } },
  },
  { name: 'closed', effect: 'deny', when: { path: { is: '/pay/closed' } } },
];

describe('inbound: a refusal that could be answered', () => {
  let w: World;
  afterEach(() => w[Symbol.asyncDispose]());

  async function asked(path: string): Promise<string> {
    using client = await w.dial();
    client.send(`GET ${path} HTTP/1.1\r\nHost: orders\r\n\r\n`);
    return await client.hears('}');
  }

  it('for how and when the user was authenticated: 401 with what would do (RFC 9470)', async () => {
    w = await world({ documents: DOCUMENTS, screens: { ...NO_SCREENS, users } });
    const heard = await asked('/pay/7');
    assert.match(
      heard,
      /^HTTP\/1\.1 401 Unauthorized\r\n[\s\S]*\r\nwww-authenticate: Bearer error="insufficient_user_authentication", acr_values="mfa hw", max_age="300"\r\n/i,
    );
    const { code, rule, acr_values, max_age } = problemIn(heard);
    assert.deepEqual(
      { code, rule, acr_values, max_age },
      { code: 'insufficient_user_authentication', rule: 'step-up', acr_values: ['mfa', 'hw'], max_age: 300 },
    );
    const { challenge, effect, user, facts } = w.audit.events.at(-1)!;
    assert.deepEqual(
      { challenge, effect, user },
      {
        challenge: { acr_values: ['mfa', 'hw'], max_age: 300 },
        effect: 'deny',
        user: { issuer: ALICE.issuer, subject: 'alice' },
      },
    );
    assert.deepEqual(Object.keys(facts as object), ['user.acr', 'user.auth_age']);
  });

  it('for the scope of the token: 403 with the scope that would do (RFC 6750)', async () => {
    const wants = {
      name: 'write',
      when: { all: [{ path: { starts: '/pay' } }, { 'user.scope': { has_all: ['pay', 'orders:read'] } }] },
    };
    w = await world({ documents: [wants], screens: { ...NO_SCREENS, users } });
    const heard = await asked('/pay/7');
    assert.match(
      heard,
      /^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*\r\nwww-authenticate: Bearer error="insufficient_scope", scope="pay orders:read"\r\n/i,
    );
    const { code, rule, scope } = problemIn(heard);
    assert.deepEqual(
      { code, rule, scope },
      { code: 'insufficient_scope', rule: null, scope: 'pay orders:read' },
    );
    assert.doesNotMatch(await asked('/other'), /www-authenticate/i);
  });

  const WANTS = {
    'for the user to be authenticated better': {
      documents: DOCUMENTS,
      status: 401,
      code: 'insufficient_user_authentication',
      header: 'Bearer error="insufficient_user_authentication", acr_values="mfa hw", max_age="300"',
      grpc: '16',
    },
    'for more scope, said by a rule': {
      documents: [
        DOCUMENTS[0]!,
        { name: 'pay', effect: 'deny', challenge: { scope: 'pay' }, when: { path: { starts: '/' } } },
      ],
      status: 403,
      code: 'insufficient_scope',
      header: 'Bearer error="insufficient_scope", scope="pay"',
      grpc: '7',
    },
  };
  for (const [what, { documents, status, code, header, grpc }] of Object.entries(WANTS))
    it(`${what}: as well over HTTP/2, and as a status of gRPC`, async () => {
      w = await world({ documents, screens: { ...NO_SCREENS, users } });
      const session = await openSession(w.inbound.address, w.web);
      try {
        const plain = await ask(session, { ':path': '/pay/7' });
        assert.deepEqual([plain.status, plain.fields['www-authenticate']], [status, header]);
        assert.equal(JSON.parse(plain.body).code, code);
        const call = await ask(session, {
          ...{ ':method': 'POST', ':path': '/pay.Desk/Pay' },
          ...{ 'content-type': 'application/grpc', te: 'trailers' },
        });
        assert.deepEqual(
          [call.status, call.fields['grpc-status'], call.fields['www-authenticate'], call.body],
          [200, grpc, header, ''],
        );
        assert.match(
          decodeURIComponent(String(call.fields['grpc-message'])),
          new RegExp(`^${code}: policy `),
        );
      } finally {
        session.destroy();
      }
      assert.equal(w.app.received, '');
      assert.deepEqual(
        w.audit.events.map(({ effect, challenge }) => [effect, challenge === undefined]),
        [
          ['deny', false],
          ['deny', false],
        ],
      );
    });

  it('says nothing of the kind where no answer would help', async () => {
    w = await world({ documents: DOCUMENTS, screens: { ...NO_SCREENS, users } });
    const heard = await asked('/pay/closed');
    assert.match(heard, /^HTTP\/1\.1 403 Forbidden\r\n/);
    assert.doesNotMatch(heard, /www-authenticate/i);
    assert.equal(problemIn(heard)['code'], 'policy_denied');
    assert.equal(w.audit.events.at(-1)?.['challenge'], undefined);
  });

  it('a request without a user, a risk or rules that ask has a record without them', async () => {
    w = await world({
      documents: [{ name: 'all', when: { path: { starts: '/' } } }],
      screens: { ...NO_SCREENS, users },
    });
    using client = await w.dial();
    client.send('GET /nobody HTTP/1.1\r\nHost: orders\r\n\r\n');
    await client.hears('ok');
    assert.deepEqual(Object.keys(w.audit.events.at(-1)!).sort(), [
      ...['caller', 'effect', 'id', 'level', 'method', 'path', 'policy', 'rule', 'serial', 'type'],
    ]);
  });

  it('a risk that a rule asked for is recorded with its reasons, and only then', async () => {
    const reasons = [{ input: 'rate', points: 45, detail: 'nine times the usual' }];
    const risks = { assess: () => ({ score: 45, reasons }) };
    const documents = [
      { name: 'calm', when: { all: [{ path: { starts: '/asked' } }, { risk: { below: 50 } }] } },
      { name: 'rest', when: { path: { starts: '/free' } } },
    ];
    w = await world({ documents, screens: { ...NO_SCREENS, risks } });
    for (const path of ['/asked', '/free']) {
      using client = await w.dial();
      client.send(`GET ${path} HTTP/1.1\r\nHost: orders\r\n\r\n`);
      await client.hears('ok');
    }
    assert.deepEqual(
      w.audit.events.filter(({ type }) => type === 'decision').map(({ risk }) => risk),
      [{ score: 45, reasons }, undefined],
    );
  });
});
