import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import type { LoggingProcess } from '../../harness/processes.ts';
import { createStage, type Stage } from './identity/stage.ts';
import { answering, OK, problemIn } from './inbound/world.ts';
import { dialPlain, RawServer } from './sockets.ts';
import { ORDERS } from './support.ts';

const OPEN = {
  name: 'open',
  level: 'application',
  target: ORDERS,
  effect: 'allow',
  mode: 'enforce',
  when: { caller: { is: 'anonymous' } },
};

describe('the sidecar process, with limits and a listener for clients without an SVID', () => {
  let stage: Stage;
  let app: RawServer;
  let sidecar: LoggingProcess;
  let open: string;
  before(async () => {
    stage = await createStage();
    app = await RawServer.start(answering());
    const policy = join(stage.dir, 'policy.json');
    await writeFile(policy, JSON.stringify(OPEN));
    sidecar = await stage.sidecar({
      SIGNET_MODE: 'service',
      SIGNET_INBOUND: `127.0.0.1:0->127.0.0.1:9 http:127.0.0.1:0->127.0.0.1:${app.port}`,
      SIGNET_POLICY_FILE: policy,
      SIGNET_OUTBOUND: '127.0.0.1:0',
      SIGNET_UPSTREAMS: `stock=127.0.0.1:9#${ORDERS}`,
      SIGNET_LIMITS: 'body=10 connections-per-peer=2 head=1k',
    });
    const listening = await sidecar.waitForEvent('listening', ({ callers }) => callers === 'anonymous');
    open = String(listening['address']);
    assert.equal(listening['protocol'], 'http');
    await sidecar.waitForEvent('ready');
  });
  after(async () => {
    await app[Symbol.asyncDispose]();
    await stage[Symbol.asyncDispose]();
  });
  const get = (lines = '') => `GET /a HTTP/1.1\r\nHost: orders\r\n${lines}\r\n`;

  it('serves them as anonymous', async () => {
    using client = await dialPlain(open);
    client.send(get());
    assert.equal(await client.hears('ok'), OK);
    assert.match(app.received, /x-signet-caller: anonymous\r\n/);
  });

  it('keeps to the bounds that were set', async () => {
    using large = await dialPlain(open);
    large.send('POST /a HTTP/1.1\r\nHost: orders\r\nContent-Length: 11\r\n\r\n');
    assert.equal(problemIn(await large.ends()).status, 413);
    using long = await dialPlain(open);
    long.send(get(`X-A: ${'a'.repeat(1_000)}\r\n`));
    assert.equal(problemIn(await long.ends()).status, 431);
  });

  it('counts one peer’s connections, and tells of those beyond in metrics and log', async () => {
    using first = await dialPlain(open);
    using second = await dialPlain(open);
    for (const client of [first, second]) {
      client.send(get());
      await client.hears(OK);
    }
    using third = await dialPlain(open);
    third.send(get());
    assert.equal(problemIn(await third.ends())['code'], 'too_many_connections');
    const line = await sidecar.waitForEvent('connections_refused');
    assert.deepEqual(
      [line['reason'], line['peer'], line['side']],
      ['connections_of_peer', '127.0.0.1', 'inbound'],
    );
    const metrics = await (await fetch(`http://${await sidecar.addressOf('admin')}/metrics`)).text();
    assert.match(metrics, /^signet_inbound_connections_refused_total\{reason="connections_of_peer"\} 1$/m);
  });

  it('keeps to them on the outbound side, where the app is the one peer', async () => {
    const outbound = await sidecar.addressOf('outbound');
    const clients = await Promise.all([1, 2, 3, 4].map(() => dialPlain(outbound)));
    for (const client of clients) client.send('GET / HTTP/1.1\r\nHost: nobody\r\n\r\n');
    for (const client of clients) await client.hears('unknown_upstream');
    clients[0]!.send(get(`X-A: ${'a'.repeat(1_000)}\r\n`));
    assert.match(await clients[0]!.ends(), /head_too_large/);
    for (const { socket } of clients) socket.destroy();
  });
});
