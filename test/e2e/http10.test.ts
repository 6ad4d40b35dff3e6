import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'mocha';
import { freePort } from '../../harness/port.ts';
import { createWorld, type World } from './world.ts';

/** An old app: it reads one request, answers in HTTP/1.0 without a length, and its answer ends as the connection does. */
const app = createServer((socket) => {
  let head = '';
  socket.on('error', () => {});
  socket.setEncoding('latin1').on('data', (some: string) => {
    head += some;
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
    if (head.length < end + 4 + length) return;
    const asked = head.slice(0, head.indexOf(' HTTP/'));
    socket.end(`HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n${asked} ${head.slice(end + 4)}`);
  });
});

describe('services that only know HTTP/1.0, through both sidecars', function () {
  this.timeout(60_000);
  let world: World;
  let port: number;
  before(async () => {
    app.listen(0, '127.0.0.1');
    await once(app, 'listening');
    world = await createWorld();
    const [callee, caller] = [await world.register('orders'), await world.register('web')];
    const policy = join(world.dir, 'policy.json');
    const when = { all: [{ caller: { is: caller.id } }, { method: { in: ['GET', 'POST'] } }] };
    const rule = {
      name: 'web',
      level: 'application',
      target: callee.id,
      effect: 'allow',
      mode: 'enforce',
      when,
    };
    await writeFile(policy, JSON.stringify([rule]));
    const orders = await world.sidecar(callee, {
      SIGNET_MODE: 'service',
      SIGNET_INBOUND: `127.0.0.1:0->127.0.0.1:${(app.address() as AddressInfo).port}`,
      SIGNET_POLICY_FILE: policy,
    });
    port = await freePort();
    const web = await world.sidecar(caller, {
      SIGNET_MODE: 'service',
      SIGNET_OUTBOUND: '127.0.0.1:0',
      SIGNET_UPSTREAMS: `orders@127.0.0.1:${port}=${await orders.addressOf('inbound')}#${callee.id}`,
    });
    for (const each of [orders, web]) await each.waitForEvent('ready');
  });
  after(async () => {
    app.close();
    await world?.[Symbol.asyncDispose]();
  });

  /** An old client: it takes the end of the connection for the end of the answer. */
  const ask = async (request: string): Promise<{ head: string; body: string }> => {
    const socket = connect(port, '127.0.0.1');
    socket.write(request);
    const answer = await text(socket);
    const end = answer.indexOf('\r\n\r\n');
    return { head: answer.slice(0, end), body: answer.slice(end + 4) };
  };

  it('are asked, and answer to the end of the connection', async () => {
    const { head, body } = await ask('GET /orders/42 HTTP/1.0\r\nHost: orders\r\n\r\n');
    assert.match(head, /^HTTP\/1\.[01] 200 /);
    assert.doesNotMatch(head, /^transfer-encoding:/im, 'a client of HTTP/1.0 knows no chunks');
    assert.equal(body, 'GET /orders/42 ');
  });

  it('take a body', async () => {
    const { head, body } = await ask(
      'POST /orders HTTP/1.0\r\nHost: orders\r\nContent-Length: 5\r\n\r\nthree',
    );
    assert.match(head, /^HTTP\/1\.[01] 200 /);
    assert.equal(body, 'POST /orders three');
  });

  it('are denied as any other, with why', async () => {
    const { head, body } = await ask('DELETE /orders/42 HTTP/1.0\r\nHost: orders\r\n\r\n');
    assert.match(head, /^HTTP\/1\.[01] 403 /);
    assert.equal(JSON.parse(body).code, 'no_rule');
  });

  it('are told that a request names its host, which HTTP/1.0 does not ask for', async () => {
    const { head, body } = await ask('GET /orders/42 HTTP/1.0\r\n\r\n');
    assert.match(head, /^HTTP\/1\.[01] 400 /);
    assert.equal(JSON.parse(body).code, 'host');
  });
});
