import assert from 'node:assert/strict';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { createCredentials } from '../../../sidecar/identity/credentials.ts';
import { createCa } from '../../support/ca.ts';
import { ask, echo, Http2App, openPlain } from '../http2/world.ts';
import { dialPlain, dialTls, type RawClient, until } from '../sockets.ts';
import { ALLOW_WEB, credentialsFor, ORDERS, svid, WEB } from '../support.ts';
import { asking, echoing } from '../websocket/handshake.ts';
import { OK, problemIn, type World, type WorldOptions, world } from './world.ts';

const GET = 'GET /open/a HTTP/1.1\r\nHost: orders\r\n\r\n';
/** Of an anonymous caller, and of nobody else. */
const OPEN = {
  name: 'open',
  when: { all: [{ caller: { is: 'anonymous' } }, { path: { starts: '/open' } }] },
};
const DOCUMENTS = [OPEN, ALLOW_WEB, { name: 'no-caller', when: { path: { starts: '/any' } } }];

const start = (anonymous: 'tls' | 'http', options: WorldOptions = {}) =>
  world({ documents: DOCUMENTS, ...options, anonymous });
const place = (w: World) => w.inbound.anonymous!;
const DIAL = {
  http: (w: World): Promise<RawClient> => dialPlain(place(w)),
  tls: (w: World): Promise<RawClient> =>
    dialTls(place(w), null, { ca: w.ca.root.pem, rejectUnauthorized: true }),
};
const SESSION = {
  http: (w: World): Promise<ClientHttp2Session> => openPlain(place(w)),
  tls: async (w: World): Promise<ClientHttp2Session> => {
    const { socket } = await dialTls(place(w), null, { ALPNProtocols: ['h2'] });
    return connectHttp2('https://orders', { createConnection: () => socket });
  },
};

it('inbound: nobody without an SVID is served unless that is wanted', async () => {
  await using w = await world({ documents: DOCUMENTS });
  assert.equal(w.inbound.anonymous, null);
});

for (const protocol of ['tls', 'http'] as const)
  describe(`inbound: clients without an SVID, by ${protocol}`, () => {
    let w: World;
    before(async () => {
      w = await start(protocol);
    });
    after(() => w[Symbol.asyncDispose]());
    beforeEach(() => {
      w.audit.events.length = 0;
    });
    const dial = () => DIAL[protocol](w);

    it('are anonymous to policy, to the audit and to the app', async () => {
      using client = await dial();
      client.send(GET);
      assert.equal(await client.hears('ok'), OK);
      assert.match(
        w.app.received,
        /^GET \/open\/a HTTP\/1\.1\r\nHost: orders\r\nx-signet-caller: anonymous\r\n\r\n$/,
      );
      const { type, effect, rule, caller, serial, method, path } = w.audit.events.at(-1)!;
      assert.deepEqual(
        { type, effect, rule, caller, serial, method, path },
        {
          type: 'decision',
          effect: 'allow',
          rule: 'open',
          caller: 'anonymous',
          serial: null,
          method: 'GET',
          path: '/open/a',
        },
      );
    });

    for (const spelling of ['X-Signet-Caller', 'x_signet_caller', 'X.Signet.Caller', 'X-SIGNET-USER'])
      it(`speak for nobody: ${spelling} is taken away`, async () => {
        const before = w.app.received.length;
        using client = await dial();
        client.send(GET.replace('\r\n\r\n', `\r\n${spelling}: ${WEB}\r\nX-Other: 1\r\n\r\n`));
        await client.hears('ok');
        assert.equal(
          w.app.received.slice(before),
          'GET /open/a HTTP/1.1\r\nHost: orders\r\nX-Other: 1\r\nx-signet-caller: anonymous\r\n\r\n',
        );
        assert.equal(w.audit.events.at(-1)!['caller'], 'anonymous');
      });

    for (const [what, path] of [
      ['names another caller', '/a'],
      ['names no caller', '/any/a'],
    ])
      it(`are not let in by a rule that ${what}`, async () => {
        const before = w.app.received.length;
        using client = await dial();
        client.send(`GET ${path} HTTP/1.1\r\nHost: orders\r\n\r\n`);
        const problem = problemIn(await client.hears('decision_id'));
        assert.deepEqual([problem.status, problem['code'], problem['rule']], [403, 'no_rule', null]);
        assert.equal(problem['detail'], `no policy allows GET ${path} for anonymous`);
        assert.equal(w.app.received.length, before);
        client.send(GET);
        await client.hears(OK);
      });

    it('are read as strictly as others, and what is refused is recorded', async () => {
      using client = await dial();
      client.send('GET /open/../a HTTP/1.1\r\nHost: orders\r\n\r\n');
      assert.equal(problemIn(await client.ends())['code'], 'target_dot_segment');
      assert.deepEqual(
        w.audit.events.map(({ type, code, caller, serial }) => [type, code, caller, serial]),
        [['refused', 'target_dot_segment', 'anonymous', null]],
      );
    });

    it('are each judged by itself on one connection, and pipelined', async () => {
      using client = await dial();
      client.send(`${GET}GET /a HTTP/1.1\r\nHost: orders\r\n\r\n${GET}`);
      await client.hears((text) => text.split(OK).length === 3 && text.includes('no_rule'));
      assert.deepEqual(
        w.audit.events.map(({ effect }) => effect),
        ['allow', 'deny', 'allow'],
      );
    });

    it('get 503 while the audit takes no record', async () => {
      using client = await dial();
      w.audit.accepting = false;
      client.send(GET);
      await client.hears('not_decided');
      w.audit.accepting = true;
      client.send(GET);
      await client.hears(OK);
    });

    it('get 503 once our own identity has ended', async () => {
      await using other = await start(protocol);
      using client = await DIAL[protocol](other);
      client.send(GET);
      await client.hears('ok');
      other.orders.withdraw();
      client.send(GET);
      assert.equal(problemIn(await client.hears('no_svid')).status, 503);
      assert.deepEqual(
        other.audit.events.map(({ type, code = null, caller }) => [type, code, caller]),
        [
          ['decision', null, 'anonymous'],
          ['refused', 'no_svid', 'anonymous'],
        ],
      );
    });

    it('may have WebSockets, judged at the upgrade', async () => {
      await using other = await start(protocol, { answer: echoing() });
      using refused = await DIAL[protocol](other);
      refused.send(asking('', '/any/chat'));
      assert.equal(problemIn(await refused.hears('decision_id')).status, 403);
      using client = await DIAL[protocol](other);
      client.send(asking('', '/open/chat'));
      await client.hears('\r\n\r\n');
      client.send('\x89\x80abcd');
      await client.hears((text) => text.endsWith('\x89\x80abcd'));
      client.socket.end();
      await client.ends();
      await until(() => other.audit.events.length === 3);
      const { type, caller, serial, reason } = other.audit.events[2]!;
      assert.deepEqual([type, caller, serial, reason], ['end', 'anonymous', null, 'ended']);
    });

    it('may speak HTTP/2, each stream judged by itself, to an app of either protocol', async () => {
      await using app = await Http2App.start(echo);
      const h2c = { host: '127.0.0.1', port: app.port, h2c: true } as const;
      await using other = await start(protocol, { app: h2c });
      for (const each of [w, other]) {
        const session = await SESSION[protocol](each);
        const spoofed = { ':path': '/open/a', 'x-signet-caller': WEB };
        const [allowed, denied] = await Promise.all([
          ask(session, spoofed),
          ask(session, { ':path': '/any' }),
        ]);
        session.destroy();
        assert.deepEqual([allowed.status, denied.status], [200, 403]);
        assert.equal(each.audit.events.at(-1)!['caller'], 'anonymous');
      }
      assert.deepEqual(
        app.requests.map(({ fields }) => fields['x-signet-caller']),
        ['anonymous'],
      );
      assert.doesNotMatch(w.app.received, /x-signet-caller: spiffe/i);
    });

    it('are counted and drained with the others', async () => {
      const other = await start(protocol, { answer: () => {} });
      await using _other = other;
      using client = await DIAL[protocol](other);
      using idle = await DIAL[protocol](other);
      client.send(GET);
      await until(() => other.app.received !== '' && other.inbound.connections === 2);
      const closed = other.inbound.close({ deadlineMs: 5_000 });
      assert.equal(await idle.ends(), '');
      other.app.connections[0]!.socket.write(OK);
      assert.match(await client.ends(), /connection: close/);
      assert.equal(await closed, 0);
    });

    it('are bounded like others: body and slow head', async () => {
      await using other = await start(protocol, { limits: { bodyBytes: 10, headMs: 200 } });
      using large = await DIAL[protocol](other);
      large.send('POST /open HTTP/1.1\r\nHost: orders\r\nContent-Length: 11\r\n\r\n');
      assert.equal(problemIn(await large.ends()).status, 413);
      using slow = await DIAL[protocol](other);
      slow.send('GET /open HTTP/1.1\r\n');
      assert.equal(problemIn(await slow.ends()).status, 408);
    });

    it('change nothing for those who have one', async () => {
      using web = await w.dial();
      web.send('GET /a HTTP/1.1\r\nHost: orders\r\n\r\n');
      await web.hears('ok');
      assert.equal(w.audit.events.at(-1)!['caller'], WEB);
      const admin = await credentialsFor(w.ca, `${ORDERS}-admin`);
      using other = await dialTls(w.inbound.address, admin);
      other.send(GET);
      assert.equal(problemIn(await other.hears('decision_id'))['code'], 'no_rule');
      using none = await dialTls(w.inbound.address, null);
      none.send(GET);
      assert.equal(await none.ends(), '');
    });
  });

describe('inbound: TLS without a client certificate', () => {
  let w: World;
  before(async () => {
    w = await start('tls');
  });
  after(() => w[Symbol.asyncDispose]());

  it('shows our SVID, and the new one when that has come', async () => {
    const uri = async () => {
      using client = await DIAL.tls(w);
      const socket = client.socket as TLSSocket;
      assert.equal(socket.getProtocol(), 'TLSv1.3');
      const { subjectaltname, serialNumber } = socket.getPeerCertificate();
      return [subjectaltname, serialNumber];
    };
    const [first, serial] = await uri();
    assert.equal(first, `URI:${ORDERS}`);
    w.orders.publish(await svid(w.ca.issuer, w.ca.root, ORDERS));
    const [second, next] = await uri();
    assert.equal(second, first);
    assert.notEqual(next, serial);
  });

  for (const [what, authority] of [
    ['of our own authority', () => w.ca],
    [
      'of another',
      async () => {
        const root = await createCa();
        return { root, issuer: await root.intermediate() };
      },
    ],
  ] as const)
    it(`asks for no certificate: a client that offers one ${what} is anonymous all the same`, async () => {
      const offered = await credentialsFor(await authority(), WEB);
      using client = await dialTls(place(w), offered, { ca: w.ca.root.pem });
      client.send('GET /a HTTP/1.1\r\nHost: orders\r\n\r\n');
      assert.equal(problemIn(await client.hears('decision_id')).status, 403);
      client.send(GET);
      await client.hears(OK);
      assert.equal(w.audit.events.at(-1)!['caller'], 'anonymous');
    });

  for (const [what, options] of [
    ['TLS 1.2', { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }],
    ['a protocol that is not HTTP', { ALPNProtocols: ['signet-tcp'] }],
  ] as const)
    it(`refuses ${what}`, async () => {
      using client = await dialTls(place(w), null, options);
      client.send(GET);
      assert.equal(await client.ends(), '');
    });

  it('fails handshakes while there is no SVID', async () => {
    await using without = await start('tls', { credentials: createCredentials() });
    using client = await dialTls(place(without), null);
    client.send(GET);
    assert.equal(await client.ends(), '');
  });

  it('takes a client that speaks no TLS for nobody', async () => {
    using client = await dialPlain(place(w));
    client.send(GET);
    assert.equal(await client.ends(), '');
  });

  it('never serves raw connections without an SVID', async () => {
    const documents = [{ name: 'all', when: { caller: { is: 'anonymous' } } }];
    const listen = { host: '127.0.0.1', port: 0 };
    await using app = await Http2App.start(echo);
    await using raw = await start('tls', {
      documents,
      tcp: [{ listen, app: { ...listen, port: app.port } }],
    });
    using client = await dialTls(raw.inbound.tcp[0]!, null, { ALPNProtocols: ['signet-tcp'] });
    client.send(GET);
    assert.equal(await client.ends(), '');
    assert.equal(app.sessions.length, 0);
    using tunnel = await DIAL.tls(raw);
    tunnel.send(`CONNECT /tcp/${app.port} HTTP/1.1\r\nHost: orders\r\n\r\n`);
    assert.equal(problemIn(await tunnel.ends())['code'], 'method_refused');
  });
});
