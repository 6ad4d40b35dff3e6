import assert from 'node:assert/strict';
import { connect, constants } from 'node:http2';
import { connect as connectPlain } from 'node:net';
import { NO_SCREENS } from '../../../sidecar/inbound/screens.ts';
import { PendingUsers } from '../inbound/pending-users.ts';
import { portOf, until } from '../sockets.ts';
import { answerTo, ask, type Http2World, h2cWorld, openPlain } from './world.ts';

type Options = Parameters<typeof h2cWorld>[1];

async function waiting(options: Options = {}): Promise<Http2World & { readonly users: PendingUsers }> {
  const users = new PendingUsers();
  return { ...(await h2cWorld(undefined, { ...options, screens: { ...NO_SCREENS, users } })), users };
}
const asked = (users: PendingUsers, name: string) => until(() => users.asked.has(name));
const post = (wait: string) => ({ ':method': 'POST', ':path': '/a', wait });

describe('http2: a judgement that waits', () => {
  it('holds its own stream back, and no other', async () => {
    await using w = await waiting();
    const session = await w.session();
    const answers = Array.from({ length: 90 }, (_, i) => ask(session, post(`s${i}`), `body ${i}`));
    await until(() => w.users.asked.size === 90);
    assert.equal(w.h2app.requests.length, 0);
    assert.equal((await ask(session, { ':path': '/free' })).status, 200);
    for (let i = 89; i >= 0; i--) if (i % 3 === 0) w.users.refuse(`s${i}`);
    for (let i = 89; i >= 0; i--) if (i % 3 !== 0) w.users.allow(`s${i}`);
    for (const [i, answer] of (await Promise.all(answers)).entries()) {
      assert.equal(answer.status, i % 3 === 0 ? 401 : 200);
      if (i % 3 === 0) assert.equal(answer.fields['www-authenticate'], 'Bearer realm="signet"');
      else assert.equal(answer.body, `body ${i}`);
    }
    assert.equal(w.h2app.requests.length, 61);
    assert.deepEqual([...w.users.asked.values()], Array(90).fill(2));
    session.destroy();
  });

  it('takes no more of a body meanwhile than a stream may hold, and then all of it', async () => {
    await using w = await waiting();
    const session = await w.session();
    const body = Buffer.alloc(4 * 1_048_576, 0x78);
    const answer = ask(session, post('x'), body);
    await asked(w.users, 'x');
    assert.equal(w.h2app.requests.length, 0);
    w.users.allow('x');
    assert.equal((await answer).body.length, body.length);
    session.destroy();
  });

  it('is none any more for a stream that was reset', async () => {
    await using w = await waiting();
    const session = await w.session();
    const stream = session.request({ ':authority': 'orders', ...post('x') });
    const over = answerTo(stream);
    await asked(w.users, 'x');
    stream.close(constants.NGHTTP2_CANCEL);
    await over;
    assert.equal((await ask(session, { ':path': '/after' })).status, 200);
    w.users.allow('x');
    assert.equal((await ask(session, { ':path': '/after' })).status, 200);
    assert.deepEqual([w.h2app.requests.length, w.users.asked.get('x')], [2, 1]);
    session.destroy();
  });

  it('nor for a connection that is gone', async () => {
    const documents = [{ name: 'open', when: { caller: { is: 'anonymous' } } }];
    await using w = await waiting({ anonymous: 'http', documents });
    const socket = connectPlain(portOf(w.inbound.anonymous!), '127.0.0.1');
    const session = connect('http://orders', { createConnection: () => socket });
    session.on('error', () => {});
    const over = ask(session, post('x'), 'hello');
    await asked(w.users, 'x');
    socket.resetAndDestroy();
    await over;
    await until(() => w.inbound.connections === 0);
    w.users.allow('x');
    const other = await openPlain(w.inbound.anonymous!);
    assert.equal((await ask(other, { ':path': '/after' })).status, 200);
    assert.equal(w.h2app.requests.length, 1);
    other.destroy();
  });

  it('refuses gRPC in its own way', async () => {
    await using w = await waiting();
    const session = await w.session();
    const answer = ask(
      session,
      { ...post('x'), 'content-type': 'application/grpc', te: 'trailers' },
      '\0\0\0\0\0',
    );
    await asked(w.users, 'x');
    w.users.refuse('x');
    const { status, fields } = await answer;
    assert.deepEqual(
      [status, fields['grpc-status'], fields['grpc-message']],
      [200, '16', 'token_invalid: no'],
    );
    assert.equal(fields['www-authenticate'], 'Bearer realm="signet"');
    session.destroy();
  });

  it('comes before a WebSocket', async () => {
    await using w = await waiting();
    const session = await w.session();
    const stream = session.request(
      {
        ':method': 'CONNECT',
        ':protocol': 'websocket',
        ':scheme': 'https',
        ':authority': 'orders',
        ':path': '/chat',
        'sec-websocket-version': '13',
        wait: 'x',
      },
      { endStream: false },
    );
    const answer = answerTo(stream);
    await asked(w.users, 'x');
    w.users.refuse('x');
    assert.equal((await answer).status, 401);
    session.destroy();
  });

  it('is waited for by a drain', async () => {
    await using w = await waiting();
    const session = await w.session();
    const answer = ask(session, post('x'), 'hello');
    await asked(w.users, 'x');
    const closed = w.inbound.close({ deadlineMs: 5_000 });
    w.users.allow('x');
    assert.equal((await answer).body, 'hello');
    assert.equal(await closed, 0);
  });

  it('is told that it has to end before a drain is over', async () => {
    await using w = await waiting();
    const session = await w.session();
    const answer = ask(session, post('x'), 'hello');
    await asked(w.users, 'x');
    const closed = w.inbound.close({ deadlineMs: 1_500 });
    assert.match((await answer).body, /"code":"draining"/);
    w.users.allow('x');
    assert.equal(await closed, 0);
    assert.equal(w.h2app.requests.length, 0);
  });

  for (const endless of [false, true]) {
    it(`has its time, ${endless ? 'however often it waits' : 'and then answers 503'}; other streams go on`, async () => {
      await using w = await waiting({ limits: { responseMs: 300 } });
      w.users.endless = endless;
      const session = await w.session();
      const late = await ask(session, post('x'), 'hello');
      assert.deepEqual([late.status, JSON.parse(late.body).code], [503, 'not_decided']);
      w.users.allow('x');
      assert.equal((await ask(session, post('x'), 'hello')).status, 200);
      assert.equal(w.h2app.requests.length, 1);
      session.destroy();
    });
  }
});
