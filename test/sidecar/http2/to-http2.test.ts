import assert from 'node:assert/strict';
import type { ClientHttp2Session, ServerHttp2Stream } from 'node:http2';
import { until } from '../sockets.ts';
import { WEB } from '../support.ts';
import { answerTo, ask, echo, type Http2World, h2cWorld } from './world.ts';

/** Ends a stream by a reset alone; node would end it as if it were whole first. */
function cut(stream: ServerHttp2Stream, code: number): void {
  stream.end = () => stream;
  stream.close(code);
}

describe('HTTP/2: to an app that speaks HTTP/2', () => {
  let w: Http2World;
  let session: ClientHttp2Session;
  const held: ServerHttp2Stream[] = [];
  before(async () => {
    w = await h2cWorld((stream, fields) => {
      const part = () => {
        stream.respond({ ':status': 200 });
        stream.write('half');
      };
      switch (fields[':path']) {
        case '/hints':
          stream.additionalHeaders({ ':status': 103, link: '</a>' });
          stream.respond({ ':status': 200 });
          stream.end('ok');
          break;
        case '/none':
          stream.respond({ ':status': 204 }, { endStream: true });
          break;
        case '/head':
          stream.respond({ ':status': 200, 'content-length': '7' });
          break;
        case '/reset':
          cut(stream, Number(fields['x-code']));
          break;
        case '/half':
          part();
          setTimeout(() => cut(stream, Number(fields['x-code'])), 20);
          break;
        case '/lost':
          part();
          setTimeout(() => w.h2app.sessions.at(-1)!.destroy(), 20);
          break;
        case '/early':
          stream.respond({ ':status': 413 });
          stream.end('no!');
          break;
        case '/words':
          stream.respond({
            ':status': 200,
            ...{ 'x-signet-caller': 'me', x_signet_user: 'me', 'set-cookie': ['a=1', 'b=2'], etag: '"1"' },
          });
          stream.end();
          break;
        case '/hold':
          stream.respond({ ':status': 200 });
          held.push(stream);
          break;
        default:
          echo(stream);
      }
    });
    session = await w.session();
  });
  after(async () => {
    session.destroy();
    await w[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    held.length = 0;
    w.h2app.requests.length = 0;
  });

  it('carries bodies and trailers both ways, and te, which apps of gRPC insist on', async () => {
    const fields = { ':path': '/a', ':method': 'POST', te: 'trailers' };
    const answer = await ask(session, fields, 'hello', { 'x-sum': '7' });
    assert.deepEqual([answer.status, answer.body, answer.code], [200, 'hello', 0]);
    assert.equal(answer.trailers?.['x-sum'], '7');
    const [request] = w.h2app.requests;
    assert.deepEqual(
      [request!.fields.te, request!.fields['x-signet-caller'], request!.fields[':scheme']],
      ['trailers', WEB, 'http'],
    );
  });

  it('what has no body gets no length that its caller did not send', async () => {
    for (const length of [{}, { 'content-length': '0' }]) {
      const answer = await ask(session, { ':path': '/a', ':method': 'POST', ...length });
      assert.equal(answer.status, 200);
      assert.equal(w.h2app.requests.at(-1)!.fields['content-length'], length['content-length']);
    }
  });

  it('many streams share one connection to the app', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => ask(session, { ':path': '/a', ':method': 'POST' }, `body ${i}`)),
    );
    assert.deepEqual(
      answers.map(({ body }) => body),
      answers.map((_, i) => `body ${i}`),
    );
    assert.equal(w.h2app.sessions.filter(({ destroyed }) => !destroyed).length, 1);
  });

  for (const [path, status, body] of [
    ['/hints', 200, 'ok'],
    ['/none', 204, ''],
  ] as const)
    it(`passes on ${path}`, async () => {
      const answer = await ask(session, { ':path': path });
      assert.deepEqual([answer.status, answer.body, answer.code], [status, body, 0]);
      assert.deepEqual(answer.interim, path === '/hints' ? [103] : []);
    });

  it('HEAD has the length and no body', async () => {
    const answer = await ask(session, { ':path': '/head', ':method': 'HEAD' });
    assert.deepEqual([answer.status, answer.fields['content-length'], answer.body], [200, '7', '']);
  });

  it('takes away the app’s words in our name, and no others', async () => {
    const { fields } = await ask(session, { ':path': '/words' });
    assert.deepEqual([fields.etag, fields['set-cookie']], ['"1"', ['a=1', 'b=2']]);
    assert.deepEqual(
      Object.keys(fields).filter((name) => /signet/.test(name)),
      [],
    );
  });

  it('aliases of one name are one ambiguity too many', async () => {
    const answer = await ask(session, { ':path': '/a', 'x-user': 'a', x_user: 'b' });
    assert.equal(answer.status, 400);
    assert.equal(JSON.parse(answer.body).code, 'header_alias');
    assert.equal(w.h2app.requests.length, 0);
  });

  for (const code of [1, 2, 8, 11])
    it(`a reset by the app (${code}) reaches the caller as it is, before the answer and in it`, async () => {
      const before = await ask(session, { ':path': '/reset', 'x-code': code });
      const within = await ask(session, { ':path': '/half', 'x-code': code });
      assert.deepEqual([before.status, before.code], [0, code]);
      assert.deepEqual([within.status, within.body, within.code], [200, 'half', code]);
    });

  it('half an answer that ends in a reset without error is not taken for a whole one', async () => {
    const answer = await ask(session, { ':path': '/half', 'x-code': 0 });
    assert.deepEqual([answer.body, answer.code], ['half', 2]);
  });

  it('nor is one whose connection was lost; the next request has a new one', async () => {
    const answer = await ask(session, { ':path': '/lost' });
    assert.deepEqual([answer.status, answer.body, answer.code], [200, 'half', 2]);
    assert.equal((await ask(session, { ':path': '/a' })).status, 200);
  });

  it('a stream that the app refuses is tried again, as often as is sensible', async () => {
    const answer = await ask(session, { ':path': '/reset', 'x-code': 7, ':method': 'POST' }, 'hello');
    assert.deepEqual([answer.status, w.h2app.requests.length], [502, 3]);
  });

  it('the reset of the caller reaches the app', async () => {
    const stream = session.request({ ':path': '/hold', ':authority': 'orders' });
    stream.on('error', () => {});
    await until(() => held.length === 1);
    stream.close(8);
    await until(() => held[0]!.destroyed);
    assert.equal(held[0]!.rstCode, 8);
  });

  it('an answer before the request is whole ends the upload, not the connection', async () => {
    const stream = session.request({ ':path': '/early', ':method': 'POST', ':authority': 'orders' });
    stream.write('x'.repeat(1000));
    const answer = await answerTo(stream);
    assert.deepEqual([answer.status, answer.body, answer.code], [413, 'no!', 0]);
    assert.equal((await ask(session, { ':path': '/a' })).status, 200);
  });

  it('an app that is full gets another connection, and no stream is lost', async () => {
    await using small = await h2cWorld(echo, {}, { settings: { maxConcurrentStreams: 5 } });
    const s = await small.session();
    // the first tells how many it takes
    await ask(s, { ':path': '/a' });
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => ask(s, { ':path': '/a', ':method': 'POST' }, 'hello')),
    );
    assert.ok(answers.every(({ status, body }) => status === 200 && body === 'hello'));
    assert.ok(small.h2app.sessions.length > 1);
    s.destroy();
  });

  it('an app that goes away in good order loses no stream', async () => {
    const hold = answerTo(session.request({ ':path': '/hold', ':authority': 'orders' }));
    await until(() => held.length === 1);
    const [old] = w.h2app.sessions.slice(-1);
    old!.close();
    await until(() => old!.closed);
    assert.equal((await ask(session, { ':path': '/a' })).status, 200);
    assert.equal(held[0]!.session, old);
    held[0]!.end('held');
    assert.equal((await hold).body, 'held');
    await until(() => old!.destroyed);
  });
});
