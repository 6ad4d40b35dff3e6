import assert from 'node:assert/strict';
import type { ClientHttp2Session } from 'node:http2';
import { answering, type World, world } from '../inbound/world.ts';
import { until } from '../sockets.ts';
import { ALLOW_WEB, WEB } from '../support.ts';
import { answerTo, ask, openSession } from './world.ts';

const DENY = { name: 'no-admin', effect: 'deny', when: { path: { like: '/admin' } } };

describe('HTTP/2: to an app that speaks HTTP/1.1', () => {
  let respond: string;
  let w: World;
  let session: ClientHttp2Session;
  before(async () => {
    w = await world({ documents: [ALLOW_WEB, DENY], answer: (seen) => answering(respond)(seen) });
    session = await openSession(w.inbound.address, w.web);
  });
  after(async () => {
    session.destroy();
    await w[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    respond = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
    // each case gets a connection to the app of its own
    for (const seen of w.app.connections.splice(0)) seen.socket.destroy();
  });

  it('one decision and one record for each stream, and the app is told who called', async () => {
    w.audit.events.length = 0;
    const answers = await Promise.all(['/a', '/b', '/admin'].map((path) => ask(session, { ':path': path })));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 403],
    );
    assert.deepEqual(w.audit.events.map(({ effect, rule, path }) => [effect, rule, path]).toSorted(), [
      ['allow', 'web-all', '/a'],
      ['allow', 'web-all', '/b'],
      ['deny', 'no-admin', '/admin'],
    ]);
    assert.match(w.app.received, new RegExp(`x-signet-caller: ${WEB}\r\n`));
    assert.doesNotMatch(w.app.received, /admin/);
  });

  it('a denial is a problem document that names the rule', async () => {
    const { status, fields, body } = await ask(session, { ':path': '/admin' });
    assert.equal(status, 403);
    assert.equal(fields['content-type'], 'application/problem+json');
    const { code, rule, decision_id } = JSON.parse(body) as Record<string, unknown>;
    assert.deepEqual([code, rule], ['policy_denied', 'no-admin']);
    assert.ok(decision_id);
  });

  for (const [what, method] of [
    ['a body', 'POST'],
    ['no body, which no app has to guess', 'POST'],
  ] as const)
    it(`a request with ${what}`, async () => {
      const body = what === 'a body' ? 'hello' : undefined;
      const { status } = await ask(session, { ':path': '/a', ':method': method }, body);
      assert.equal(status, 200);
      assert.match(
        w.app.received,
        body === undefined
          ? /\r\ncontent-length: 0\r\n/
          : /\r\ntransfer-encoding: chunked\r\n.*\r\n5\r\nhello\r\n0\r\n\r\n$/s,
      );
    });

  it('a body of known length goes on as it is, and not one byte more', async () => {
    const fields = { ':path': '/a', ':method': 'PUT', 'content-length': 5 };
    assert.equal((await ask(session, fields, 'hello')).status, 200);
    assert.match(w.app.received, /\r\ncontent-length: 5\r\n.*\r\n\r\nhello$/s);
  });

  it('trailers of a request follow its chunks', async () => {
    await ask(session, { ':path': '/a', ':method': 'POST' }, 'hello', { digest: 'abc' });
    assert.match(w.app.received, /\r\n5\r\nhello\r\n0\r\ndigest: abc\r\n\r\n$/);
  });

  for (const name of ['x-signet-caller', 'x_signet_caller', 'authorization', 'host', 'content-length'])
    it(`a trailer ${name} is refused, and the app sees no whole request`, async () => {
      const answer = await ask(session, { ':path': '/a', ':method': 'POST' }, 'hello', { [name]: '5' });
      assert.equal(answer.status, 400);
      assert.equal(JSON.parse(answer.body).code, 'trailer_forbidden');
      assert.doesNotMatch(w.app.received, /\r\n0\r\n/);
    });

  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-App: yes\r\n\r\n';
  const answers = [
    ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', 200, 'ok', null],
    ['chunks', `${chunked}2\r\nok\r\n4\r\n and\r\n0\r\n\r\n`, 200, 'ok and', null],
    ['chunks and trailers', `${chunked}2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n`, 200, 'ok', { 'x-sum': '7' }],
    ['empty chunked body', `${chunked}0\r\n\r\n`, 200, '', null],
    ['no content', 'HTTP/1.1 204 No Content\r\n\r\n', 204, '', null],
    ['not modified', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n', 304, '', null],
    ['length 0', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 200, '', null],
    ['an error of the app', 'HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops', 500, 'oops', null],
  ] as const;
  for (const [what, response, status, body, trailers] of answers)
    it(`an answer with ${what}`, async () => {
      respond = response;
      const answer = await ask(session, { ':path': '/a' });
      assert.deepEqual([answer.status, answer.body, answer.code], [status, body, 0]);
      assert.deepEqual(
        answer.trailers && Object.entries(answer.trailers),
        trailers && Object.entries(trailers),
      );
    });

  it('HEAD has the length and no body', async () => {
    respond = 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n';
    const answer = await ask(session, { ':path': '/a', ':method': 'HEAD' });
    assert.deepEqual([answer.status, answer.fields['content-length'], answer.body], [200, '7', '']);
  });

  it('interim answers come before the last', async () => {
    respond = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
    const answer = await ask(session, { ':path': '/a' });
    assert.deepEqual([answer.interim, answer.status, answer.body], [[103], 200, 'ok']);
  });

  it('headers of one hop stay on it, and the app’s other headers come through', async () => {
    respond =
      'HTTP/1.1 200 OK\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nX-Signet-Caller: me\r\nContent-Length: 2\r\n\r\nok';
    const { fields } = await ask(session, { ':path': '/a' });
    assert.deepEqual(Object.keys(fields).toSorted(), [':status', 'content-length', 'set-cookie']);
    assert.deepEqual(fields['set-cookie'], ['a=1', 'b=2']);
  });

  it('an answer that is cut short is not taken for a whole one', async () => {
    w.app.onConnection = ({ socket }) => {
      socket.once('data', () => setTimeout(() => socket.end(`${chunked}5\r\nhel`), 20));
    };
    respond = '';
    const answer = await ask(session, { ':path': '/a' });
    w.app.onConnection = () => {};
    assert.notEqual(answer.code, 0);
    assert.equal(answer.body, 'hel');
  });

  it('an answer without end of its own ends the stream; the caller’s connection stays', async () => {
    w.app.onConnection = ({ socket }) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\nuntil I close'));
    };
    respond = '';
    const answer = await ask(session, { ':path': '/a' });
    w.app.onConnection = () => {};
    assert.deepEqual([answer.status, answer.body, answer.code], [200, 'until I close', 0]);
  });

  it('what the app may not send is a 502 that says why', async () => {
    respond = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok';
    const answer = await ask(session, { ':path': '/a' });
    assert.equal(answer.status, 502);
    assert.match(answer.body, /app_response_refused.*content_length/);
  });

  it('a caller that goes away takes the app’s request with it', async () => {
    respond = '';
    const stream = session.request({ ':path': '/slow', ':authority': 'orders' });
    stream.on('error', () => {});
    await until(() => w.app.received.includes('/slow'));
    stream.close(8);
    await until(() => w.app.connections.every(({ socket }) => socket.destroyed || socket.readableEnded));
  });

  it('a body that is cancelled is no whole body to the app', async () => {
    respond = '';
    const stream = session.request({ ':path': '/up', ':method': 'POST', ':authority': 'orders' });
    stream.on('error', () => {});
    stream.write('hello');
    await until(() => w.app.received.includes('hello'));
    // node would end the stream as if it were whole before it resets it
    stream.end = () => stream;
    stream.close(8);
    await until(() => w.app.connections.every(({ socket }) => socket.destroyed || socket.readableEnded));
    assert.doesNotMatch(w.app.received, /\r\n0\r\n/);
  });

  it('an answer before the request is whole ends the upload, not the connection', async () => {
    w.app.onConnection = ({ socket }) => {
      socket.once('data', () => socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!'));
    };
    respond = '';
    const stream = session.request({ ':path': '/up', ':method': 'POST', ':authority': 'orders' });
    stream.write('x'.repeat(1000));
    const answer = await answerTo(stream);
    w.app.onConnection = () => {};
    assert.deepEqual([answer.status, answer.body], [413, 'no!']);
    respond = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
    assert.equal((await ask(session, { ':path': '/a' })).status, 200);
  });

  it('connections to the app are kept and used again', async () => {
    await using fresh = await world();
    const s = await openSession(fresh.inbound.address, fresh.web);
    for (let i = 0; i < 5; i++)
      assert.equal((await ask(s, { ':path': '/a', ':method': 'POST' }, 'hello')).status, 200);
    assert.equal(fresh.app.connections.length, 1);
    s.destroy();
  });
});
