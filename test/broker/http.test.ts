import assert from 'node:assert/strict';
import { connect as connectTcp } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { after, before, describe, it } from 'mocha';
import { sshKeygen } from '../support/ssh-keygen.ts';
import { hostEntry, openSite, type Site, type TestBroker, until } from './site.ts';

describe('the HTTP of the broker', () => {
  let site: Site;
  let broker: TestBroker;
  before(async () => {
    site = await openSite();
    broker = await site.startBroker({ SIGNET_REQUEST_TIMEOUT: '1s' });
  });
  after(() => site?.[Symbol.asyncDispose]());

  const raw = (address = broker.address): Promise<TLSSocket> =>
    new Promise((resolve, reject) => {
      const [host, port] = address.split(':');
      const socket = connect(
        { host, port: Number(port), ca: site.ca, checkServerIdentity: () => undefined },
        () => resolve(socket),
      );
      socket.once('error', reject);
    });
  /** Sends the text and gives back all that comes until the broker closes the connection. */
  const exchange = async (text: string): Promise<string> => {
    const socket = await raw();
    socket.removeAllListeners('error').on('error', () => {});
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk;
    });
    socket.write(text);
    await new Promise((resolve) => socket.once('close', resolve));
    return answer;
  };
  const post = (body: unknown, path = '/v1/attest', headers = {}) =>
    broker.connect().then(async (client) => {
      try {
        return await client.send('POST', path, body, headers);
      } finally {
        client[Symbol.dispose]();
      }
    });
  const good = { method: 'join', challenge: 'x', evidence: { code: 'x' } };

  describe('refuses as malformed, and says where', () => {
    const cases: [what: string, body: unknown, pointer: string][] = [
      ['no JSON', '{"method":', ''],
      ['a number', '7', ''],
      ['a list', [], ''],
      ['null', 'null', ''],
      ['an empty object', {}, ''],
      ['a method that there is not', { ...good, method: 'trust-me' }, '/method'],
      ['a method of the prototype', { ...good, method: '__proto__' }, '/method'],
      ['a challenge that is a number', { ...good, challenge: 7 }, '/challenge'],
      ['a challenge that is too long', { ...good, challenge: 'x'.repeat(129) }, '/challenge'],
      ['evidence that is a text', { ...good, evidence: 'x' }, '/evidence'],
      ['evidence of another method', { ...good, method: 'ssh-host' }, '/evidence'],
      ['evidence with more in it', { ...good, evidence: { code: 'x', admin: true } }, '/evidence/admin'],
      ['a field that there is not', { ...good, role: 'admin' }, '/role'],
      [
        'a prototype',
        '{"method":"join","challenge":"x","evidence":{"code":"x"},"__proto__":{"admin":true}}',
        '/__proto__',
      ],
      [
        'a prototype in the evidence',
        '{"method":"join","challenge":"x","evidence":{"code":"x","__proto__":{"a":1}}}',
        '/evidence/__proto__',
      ],
      [
        'a generation that is a fraction',
        {
          method: 'svid',
          challenge: 'x',
          evidence: { instance_id: 'a'.repeat(32), generation: 1.5, next_key: 'a'.repeat(64) },
        },
        '/evidence/generation',
      ],
      [
        'an instance that climbs',
        {
          method: 'svid',
          challenge: 'x',
          evidence: { instance_id: '../../../denylist', generation: 1, next_key: 'a'.repeat(64) },
        },
        '/evidence/instance_id',
      ],
    ];
    for (const [what, body, pointer] of cases) {
      it(what, async () => {
        const reply = await post(body);
        assert.deepEqual([reply.status, reply.body.code], [400, 'malformed'], JSON.stringify(reply.body));
        assert.equal(reply.body.errors[0].pointer, pointer, JSON.stringify(reply.body));
        assert.equal(reply.headers['content-type'], 'application/problem+json');
      });
    }
  });

  describe('refuses', () => {
    it('a body of over 64 KiB', async () => {
      const reply = await post({ ...good, evidence: { code: 'x'.repeat(65_536) } });
      assert.deepEqual([reply.status, reply.body.code], [413, 'too_large']);
    });
    it('a body that says it is small and goes on', async () => {
      const text = `POST /v1/attest HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`;
      const chunk = `2000\r\n${' '.repeat(0x2000)}\r\n`;
      assert.match(
        await exchange(`${text}${chunk.repeat(9)}0\r\n\r\n`),
        /^HTTP\/1\.1 413 [\s\S]*"code":"too_large"/,
      );
    });
    it('a body without an end', async () => {
      const socket = await raw();
      socket.removeAllListeners('error').on('error', () => {});
      let answer = '';
      socket.setEncoding('utf8').on('data', (chunk) => {
        answer += chunk;
      });
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.write(
        'POST /v1/attest HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
      );
      const more = setInterval(() => socket.writable && socket.write(`4000\r\n${' '.repeat(0x4000)}\r\n`), 5);
      await closed;
      clearInterval(more);
      assert.match(answer, /^HTTP\/1\.1 4(08|13) /);
    });
    it('another kind of body', async () => {
      const reply = await post('challenge=1', '/v1/challenge', {
        'content-type': 'application/x-www-form-urlencoded',
      });
      assert.deepEqual([reply.status, reply.body.code], [415, 'unsupported_media_type']);
    });
    it('a packed body', async () => {
      const reply = await post('{}', '/v1/challenge', { 'content-encoding': 'gzip' });
      assert.deepEqual([reply.status, reply.body.code], [415, 'unsupported_media_type']);
    });
    it('a head of over 16 KiB', async () => {
      const answer = await exchange(
        `GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(17_000)}\r\n\r\n`,
      );
      assert.match(answer, /^HTTP\/1\.1 431 [\s\S]*"code":"headers_too_large"/);
    });
    it('what is no HTTP', async () => {
      assert.match(await exchange('hello\r\n\r\n'), /^HTTP\/1\.1 400 [\s\S]*"code":"malformed"/);
    });
    it('two lengths in one request', async () => {
      const text =
        'POST /v1/challenge HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
      assert.match(await exchange(text), /^HTTP\/1\.1 400 /);
    });
    it('a head that does not end', async () => {
      const began = performance.now();
      assert.match(
        await exchange('GET /healthz HTTP/1.1\r\nHost: x\r\n'),
        /^HTTP\/1\.1 408 [\s\S]*"code":"request_timeout"/,
      );
      assert.ok(performance.now() - began < 5_000);
    });
    it('a body that does not come', async () => {
      const text =
        'POST /v1/challenge HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"a":';
      assert.match(await exchange(text), /^HTTP\/1\.1 408 [\s\S]*"code":"request_timeout"/);
    });
    it('a body that comes by drops', async () => {
      const socket = await raw();
      socket.removeAllListeners('error').on('error', () => {});
      let answer = '';
      socket.setEncoding('utf8').on('data', (chunk) => {
        answer += chunk;
      });
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.write(
        'POST /v1/challenge HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2000\r\n\r\n',
      );
      const drops = setInterval(() => socket.writable && socket.write(' '), 50);
      await closed;
      clearInterval(drops);
      assert.match(answer, /^HTTP\/1\.1 408 /);
    });
    for (const [method, path] of [
      ['GET', '/'],
      ['GET', '/metrics'],
      ['GET', '/v1/entries/acme.shop'],
      ['GET', '/v1/Bundle'],
      ['GET', '/v1/bundle/'],
      ['POST', '/v2/challenge'],
    ] as const) {
      it(`${method} ${path}, which is nothing`, async () => {
        const reply = await broker.call(method, path);
        assert.deepEqual([reply.status, reply.body.code], [404, 'no_route']);
      });
    }
    for (const [method, path, allow] of [
      ['GET', '/v1/attest', 'POST'],
      ['PUT', '/v1/entries', 'GET, POST'],
      ['PATCH', '/v1/entries/acme.shop/orders', 'GET, PUT, DELETE'],
    ] as const) {
      it(`${method} ${path}`, async () => {
        const reply = await broker.call(method, path);
        assert.deepEqual(
          [reply.status, reply.body.code, reply.headers.allow],
          [405, 'method_not_allowed', allow],
        );
      });
    }
    for (const path of [
      '/v1/entries/%zz/x',
      '/v1/entries?tenant=a&tenant=b',
      '/v1/entries?admin=1',
      '/v1/entries?tenant=..',
    ]) {
      it(`GET ${path}`, async () => {
        const reply = await broker.call('GET', path, undefined, site.registrar.shop);
        assert.deepEqual([reply.status, reply.body.code], [400, 'malformed']);
      });
    }
    for (const path of [
      '/v1/entries/acme%2Fshop/x',
      '/v1/entries/..%2F..%2Fdenylist/x',
      '/v1/entries/acme.shop/%2e%2e',
      '/v1/entries/ACME/x',
    ]) {
      it(`GET ${path}: there is no such entry`, async () => {
        const reply = await broker.call('GET', path, undefined, site.registrar.shop);
        assert.deepEqual([reply.status, reply.body.code], [404, 'entry_not_found']);
      });
    }
  });

  it('goes on with the connection after a refusal', async () => {
    using client = await broker.connect();
    assert.equal((await client.send('POST', '/v1/attest', '{"method":')).status, 400);
    assert.equal((await client.send('GET', '/healthz')).status, 200);
  });
  it('marks every answer with a correlation id and as not to be kept', async () => {
    const [one, other] = [await broker.call('GET', '/healthz'), await broker.call('GET', '/nothing')];
    assert.match(String(one.headers['x-correlation-id']), /^[0-9a-f-]{36}$/);
    assert.equal(other.headers['x-correlation-id'], other.body.correlation_id);
    assert.notEqual(one.headers['x-correlation-id'], other.headers['x-correlation-id']);
    assert.deepEqual([one.headers['cache-control'], one.headers['x-powered-by']], ['no-store', undefined]);
  });
  it('counts requests by what they were', async () => {
    await broker.call('GET', '/v1/bundle');
    await until(
      async () => (await broker.metric('signet_broker_requests_total{operation="bundle",status="200"}')) >= 1,
    );
  });
  it('serves health and metrics to this machine on a listener of its own', async () => {
    const at = (path: string, options = {}) =>
      fetch(`http://${broker.admin}${path}`, options).then(({ status }) => status);
    assert.deepEqual(
      [
        await at('/healthz'),
        await at('/readyz'),
        await at('/metrics'),
        await at('/v1/entries'),
        await at('/metrics', { method: 'POST' }),
      ],
      [200, 200, 200, 404, 405],
    );
  });
  it('gives the bundle to anyone, and it is the root that callers pin', async () => {
    const { body } = await broker.call('GET', '/v1/bundle');
    assert.equal(body.keys.length, 1);
    assert.equal(body.keys[0].use, 'x509-svid');
    assert.equal(body.keys[0].x5c[0], site.ca.replaceAll(/-----[A-Z ]+-----|\s/g, ''));
    assert.ok(body.spiffe_sequence > 1_700_000_000 && body.spiffe_refresh_hint > 0);
  });
});

describe('the limits of the broker', () => {
  let site: Site;
  before(async () => {
    site = await openSite();
  });
  after(() => site?.[Symbol.asyncDispose]());

  it('stop a source that asks too often, and let it come back', async () => {
    const broker = await site.startBroker({ SIGNET_RATE_SOURCE: '20' });
    using client = await broker.connect();
    const replies = [];
    for (let i = 0; i < 130; i++) replies.push(await client.send('GET', '/healthz'));
    const refused = replies.filter(({ status }) => status === 429);
    assert.ok(refused.length > 5, `${refused.length} refused`);
    assert.equal(refused[0]?.body.code, 'rate_limited');
    assert.equal(refused[0]?.headers['retry-after'], '1');
    await wait(1_100);
    assert.equal((await client.send('GET', '/healthz')).status, 200);
    await broker.stop();
  });
  it('stop a source that opens too many connections', async () => {
    const broker = await site.startBroker({ SIGNET_MAX_CONNECTIONS_SOURCE: '5' });
    const clients = [];
    for (let i = 0; i < 5; i++) clients.push(await broker.connect({ inspect: () => {} }));
    await assert.rejects(broker.connect({ inspect: () => {} }));
    for (const client of clients.splice(0)) client[Symbol.dispose]();
    await until(async () => {
      try {
        (await broker.connect({ inspect: () => {} }))[Symbol.dispose]();
        return true;
      } catch {
        return false;
      }
    });
    await broker.stop();
  });
  it('keep nobody out who has few connections because another has all there are', async () => {
    const broker = await site.startBroker({ SIGNET_MAX_CONNECTIONS: '40', SIGNET_RATE_SOURCE: '1000' });
    const [host = '', port] = broker.address.split(':');
    const cut: Promise<unknown>[] = [];
    const silent = Array.from({ length: 40 }, () => {
      const socket = connectTcp({ host, port: Number(port), localAddress: '127.0.0.2' });
      cut.push(
        new Promise((resolve) =>
          socket
            .on('error', () => {})
            .resume()
            .once('close', resolve),
        ),
      );
      return socket;
    });
    await Promise.all(silent.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    const clients = [await broker.connect(), await broker.connect()];
    for (const client of clients) assert.equal((await client.send('GET', '/healthz')).status, 200);
    await Promise.race(cut);
    const open = silent.filter(({ closed }) => !closed).length;
    assert.ok(open > 30, `${open} of the others are left`);
    for (const client of clients) client[Symbol.dispose]();
    for (const socket of silent) socket.destroy();
    await broker.stop();
  });
  it('end a connection on which no handshake comes', async () => {
    const broker = await site.startBroker({
      SIGNET_REQUEST_TIMEOUT: '1s',
      SIGNET_MAX_CONNECTIONS_SOURCE: '2',
    });
    const [host, port] = broker.address.split(':');
    const silent = connectTcp({ host, port: Number(port) });
    const talkative = connectTcp({ host, port: Number(port) }, () =>
      talkative.write('GET / HTTP/1.1\r\n\r\n'),
    );
    for (const socket of [silent, talkative]) socket.on('error', () => {});
    const began = performance.now();
    await Promise.all(
      [silent, talkative].map((socket) => new Promise((resolve) => socket.resume().once('close', resolve))),
    );
    assert.ok(performance.now() - began < 5_000);
    (await broker.connect({ inspect: () => {} }))[Symbol.dispose]();
    await broker.stop();
  });
  it('stop one identity that asks for too many grants, and no other', async () => {
    await using ssh = await sshKeygen();
    const broker = await site.startBroker({ SIGNET_RATE_IDENTITY: '1' });
    const [busy, calm] = [await ssh.newKey('busy'), await ssh.newKey('calm')];
    for (const [name, key] of Object.entries({ busy, calm })) {
      await broker.call(
        'POST',
        '/v1/entries',
        hostEntry(name, { 'ssh-host:key': key.fingerprint }),
        site.registrar.shop,
      );
    }
    using client = await broker.connect();
    const show = (key: typeof busy) =>
      client.attest('ssh-host', async (proof) => ({ signature: await key.sign(proof) }));
    const statuses = [];
    for (let i = 0; i < 8; i++) statuses.push((await show(busy)).status);
    assert.ok(statuses.filter((status) => status === 429).length >= 1, String(statuses));
    assert.equal((await show(calm)).status, 201);
    await broker.stop();
  });
});
