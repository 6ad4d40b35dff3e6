import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startChild } from '../../../harness/child.ts';
import { which } from '../../../setup/commands.mjs';
import { pair } from '../../sidecar/outbound/world.ts';
import { portOf, until } from '../../sidecar/sockets.ts';
import { startNginx } from '../nginx.ts';
import { leaveOut } from './leave-out.ts';

describe('strangers: load and events through both sidecars', function () {
  this.timeout(60_000);

  it('wrk before nginx: two seconds without an error, every answer 200', async function () {
    leaveOut(this, { wrk: which('wrk'), nginx: which('nginx', ['/usr/sbin']) });
    await using app = await startNginx('default_type text/plain; keepalive_requests 1000000;', [
      'location / { return 200 "hello\\n"; }',
    ]);
    await using p = await pair({ inbound: { appPort: app.port } });
    const url = `http://127.0.0.1:${portOf(p.outbound.address)}/hello?a=1`;
    const args = [
      '--threads',
      '1',
      '--connections',
      '16',
      '--duration',
      '2s',
      '--header',
      'Host: orders',
      url,
    ];
    await using wrk = await startChild(which('wrk')!, args);
    assert.equal((await wrk.ended).code, 0, wrk.stderr());
    const said = wrk.stdout();
    const requests = Number(/(\d+) requests in /.exec(said)?.[1] ?? 0);
    assert.ok(requests > 0, said);
    // wrk tells of these only when there are any
    assert.doesNotMatch(said, /Socket errors|Non-2xx/);
    // those of the last moment were judged, and wrk did not wait for them
    const { events } = p.audit;
    assert.ok(events.length >= requests, `${events.length} decisions, ${requests} requests`);
    assert.ok(events.every(({ effect }) => effect === 'allow'));
  });

  for (const [name, options] of [
    ['HTTP/1.1', ['--http1.1']],
    ['HTTP/2', ['--http2-prior-knowledge']],
  ] as const)
    it(`server-sent events over ${name}: each is heard before the next is sent`, async function () {
      leaveOut(this, { curl: which('curl') });
      const streams: ServerResponse[] = [];
      await using app = createServer((_request, response) => {
        streams.push(response.writeHead(200, { 'content-type': 'text/event-stream' }));
        response.write(': ready\n\n');
      });
      app.listen(0, '127.0.0.1');
      await once(app, 'listening');
      await using p = await pair({ inbound: { appPort: (app.address() as AddressInfo).port } });
      const url = `http://127.0.0.1:${portOf(p.outbound.address)}/events`;
      const head = ['--header', 'Host: orders', '--header', 'Accept: text/event-stream'];
      await using curl = await startChild(which('curl')!, [
        '--silent',
        '--no-buffer',
        ...options,
        ...head,
        url,
      ]);
      let expected = ': ready\n\n';
      for (let i = 0; i < 20; i++) {
        await until(
          () => curl.stdout() === expected,
          () => `heard ${JSON.stringify(curl.stdout())}`,
        );
        const event = `id: ${i}\nevent: tick\ndata: ${'x'.repeat(i * 100)}\n\n`;
        streams[0]!.write(event);
        expected += event;
      }
      streams[0]!.end();
      assert.equal((await curl.ended).code, 0);
      assert.equal(curl.stdout(), expected);
    });
});
