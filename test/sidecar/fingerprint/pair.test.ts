import assert from 'node:assert/strict';
import { readJws } from '../../../lib/fingerprint/index.ts';
import { createProver } from '../../../sidecar/fingerprint/index.ts';
import { Recorder } from '../../conformance/recorder.ts';
import { ask, openPlain } from '../http2/world.ts';
import { problemIn } from '../inbound/world.ts';
import { pair, upstream } from '../outbound/world.ts';
import { dialPlain, dialTls, RawServer, until } from '../sockets.ts';
import { authority, clock, credentialsFor, ORDERS, svid, WEB } from '../support.ts';
import { asking, echoing } from '../websocket/handshake.ts';
import { provenPair } from './world.ts';

const MODES = ['channel', 'signed'] as const;
const claimsOf = (token: string) => JSON.parse(readJws(token)!.payload);

describe('requests proven from sidecar to sidecar', () => {
  for (const sends of MODES) {
    it(`HTTP/1.1: go through, and the app sees no proof (${sends})`, async () => {
      await using w = await provenPair({ sends });
      using client = await dialPlain(w.outbound.address);
      for (const [line, host, body] of [
        ['GET /', 'orders', null],
        ['GET /%7euser/%c3%a9?q="a\'b"&%zz', 'ORDERS:8080', null],
        ['GET http://orders/absolute?x', 'orders', null],
        [`GET /${'long/'.repeat(300)}end`, 'orders', null],
        ['POST /b', 'orders', 'hello'],
        ['POST /empty', 'orders', ''],
      ] as const) {
        client.received = '';
        const framing = body === null ? '' : `content-length: ${body.length}\r\n`;
        client.send(`${line} HTTP/1.1\r\nHost: ${host}\r\n${framing}\r\n${body ?? ''}`);
        assert.match(await client.hears(/\r\n\r\n(?:ok|.*"code")/), /^HTTP\/1\.1 200 /, line);
      }
      assert.match(w.app.received, /\r\n\r\nhello/);
      assert.doesNotMatch(w.app.received, /workload-proof|signet-channel/i);
    });

    it(`HTTP/2: go through, a hundred at once (${sends})`, async () => {
      await using w = await provenPair({ sends });
      const session = await openPlain(w.outbound.address);
      try {
        const post = { ':path': '/b', ':method': 'POST', 'content-length': 5 };
        const all = Array.from({ length: 100 }, (_, i) =>
          i % 2 === 0 ? ask(session, { ':path': `/a?${i}` }) : ask(session, post, 'hello'),
        );
        const statuses = (await Promise.all(all)).map(({ status }) => status);
        assert.deepEqual([...new Set(statuses)], [200]);
      } finally {
        session.destroy();
      }
    });

    it(`WebSockets, by either protocol (${sends})`, async () => {
      await using w = await provenPair({ sends, inbound: { answer: echoing() } });
      using client = await dialPlain(w.outbound.address);
      client.send(asking());
      await client.hears(/^HTTP\/1\.1 101 .*\r\n\r\n/s);
      client.send('frames');
      await client.hears('frames');
      const session = await openPlain(w.outbound.address);
      try {
        const stream = session.request({
          ...{ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat', ':authority': 'orders' },
          'sec-websocket-version': '13',
        });
        const status = await new Promise((resolve) =>
          stream.on('response', (fields) => resolve(fields[':status'])),
        );
        assert.equal(status, 200);
      } finally {
        session.destroy();
      }
    });

    it(`loses nothing while both sides rotate every 40 ms under load (${sends})`, async function () {
      this.timeout(60_000);
      await using w = await provenPair({ sends });
      const session = await openPlain(w.outbound.address);
      let stop = false;
      const statuses = new Map<string, number>();
      const tell = (status: number, body: string) => {
        const outcome = status === 200 ? '200' : `${status} ${body}`;
        statuses.set(outcome, (statuses.get(outcome) ?? 0) + 1);
      };
      const streams = Array.from({ length: 6 }, async (_, i) => {
        while (!stop) {
          const length = i % 2 === 0 ? { 'content-length': 5 } : {};
          const answer = await ask(session, { ':path': `/a?${i}`, ':method': 'POST', ...length }, 'hello');
          tell(answer.status, answer.body);
        }
      });
      const requests = Array.from({ length: 6 }, async () => {
        using client = await dialPlain(w.outbound.address);
        while (!stop) {
          client.received = '';
          client.send('POST /a HTTP/1.1\r\nHost: orders\r\nContent-Length: 5\r\n\r\nhello');
          const text = await client.hears(/\r\n\r\n(?:ok|.*"code")/);
          tell(Number(text.slice(9, 12)), text);
        }
      });
      for (let i = 0; i < 30; i++) {
        const [holder, id] = i % 2 === 0 ? ([w.web, WEB] as const) : ([w.orders, ORDERS] as const);
        holder.publish(await svid(w.ca.issuer, w.ca.root, id));
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
      stop = true;
      await Promise.all([...streams, ...requests]);
      assert.deepEqual([...statuses.keys()], ['200']);
      assert.ok(statuses.get('200')! > 100, JSON.stringify([...statuses]));
      session.destroy();
    });
  }

  it('a sidecar that sends no proof, or a weaker one, is told so', async () => {
    for (const [sends, requires, code] of [
      ['off', 'channel', 'proof_missing'],
      ['off', 'signed', 'proof_missing'],
      ['channel', 'signed', 'proof_weak'],
    ] as const) {
      await using w = await provenPair({ sends, requires });
      using client = await dialPlain(w.outbound.address);
      client.send('GET /a HTTP/1.1\r\nHost: orders\r\n\r\n');
      await client.hears('"code"');
      const { status, code: told } = problemIn(client.received);
      assert.deepEqual([status, told], [401, code]);
      const session = await openPlain(w.outbound.address);
      const answer = await ask(session, { ':path': '/a' });
      assert.deepEqual([answer.status, JSON.parse(answer.body).code], [401, code]);
      session.destroy();
      assert.equal(w.app.received, '');
      assert.equal(w.audit.events.at(-1)!['code'], code);
    }
  });

  it('an app’s own proof does not leave its sidecar', async () => {
    await using w = await provenPair();
    using client = await dialPlain(w.outbound.address);
    client.send(
      'GET /a HTTP/1.1\r\nHost: orders\r\nWorkload-Proof-Token: x\r\nx-signet-channel: y\r\nworkload_proof_token: z\r\n\r\n',
    );
    await client.hears('ok');
    const session = await openPlain(w.outbound.address);
    assert.equal(
      (await ask(session, { ':path': '/a', 'workload-proof-token': 'x', 'x-signet-channel': 'y' })).status,
      200,
    );
    session.destroy();
  });

  it('callers without an SVID are not asked', async () => {
    await using w = await provenPair({
      inbound: { anonymous: 'http', documents: [{ name: 'all', when: { caller: { is: 'anonymous' } } }] },
    });
    using client = await dialPlain(w.inbound.anonymous!);
    client.send('POST /a HTTP/1.1\r\nHost: orders\r\nContent-Length: 10\r\n\r\nbegun');
    await until(() => w.app.received.endsWith('begun'));
    client.send('ended');
    await client.hears('ok');
  });

  it('raw connections are not asked', async () => {
    const app = await RawServer.start(({ socket }) => void socket.write('query'));
    await using w = await provenPair({
      inbound: {
        tcp: [{ listen: { host: '127.0.0.1', port: 0 }, app: { host: '127.0.0.1', port: app.port } }],
      },
    });
    using client = await dialTls(w.inbound.tcp[0]!, w.web);
    client.send('select');
    await client.hears('query');
    await app[Symbol.asyncDispose]();
  });

  it('a request that is sent again is proven anew, on the connection that it is sent on', async () => {
    const ca = await authority();
    const [orders, web] = [await credentialsFor(ca, ORDERS), await credentialsFor(ca, WEB)];
    await using backend = await Recorder.start(orders);
    await using p = await pair({
      inbound: { ca },
      outbound: {
        upstreams: [upstream('orders', [backend.port])],
        credentials: web,
        prover: createProver({ mode: 'channel', ttlSeconds: 10, clock }),
      },
    });
    using client = await dialPlain(p.outbound.address);
    const put = 'PUT /a HTTP/1.1\r\nHost: orders\r\nContent-Length: 5\r\n\r\nhello';
    const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
    backend.answer = (_start, socket) => void socket.write(ok);
    client.send(put);
    await client.hears('ok');
    client.received = '';
    // the kept connection goes when the second request has come
    backend.answer = (_start, socket) => {
      backend.answer = (_line, other) => void other.write(ok);
      socket.destroy();
    };
    client.send(put);
    await client.hears('ok');

    const sent = backend.requests.map(({ raw }) => ({
      claims: claimsOf(/^workload-proof-token: (\S+)/m.exec(raw)![1]!),
      asserted: /^x-signet-channel: (\S+)/m.exec(raw)?.[1],
    }));
    assert.deepEqual(
      sent.map(({ claims }) => claims.jti.replace(/.*\./, '')),
      ['0', '1', '0'],
    );
    assert.deepEqual(
      sent.map(({ asserted }) => asserted !== undefined),
      [true, false, true],
    );
    assert.equal(sent[0]!.claims.cb, sent[1]!.claims.cb);
    assert.notEqual(sent[1]!.claims.cb, sent[2]!.claims.cb);
  });
});
