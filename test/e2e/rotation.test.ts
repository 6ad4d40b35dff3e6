import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import type { TestProcess } from '../support/processes.ts';
import { createWorld, SHORT_TTL, type World } from './world.ts';

describe('rotation under traffic', function () {
  this.timeout(90_000);
  let world: World;
  let web: TestProcess;
  let orders: TestProcess;
  const app = createServer((_request, response) => void response.end('ordered'));

  before(async () => {
    world = await createWorld();
    app.listen(0, '127.0.0.1');
    await once(app, 'listening');
    const [callee, caller] = [
      await world.register('orders', { ttl: SHORT_TTL }),
      await world.register('web', { ttl: SHORT_TTL }),
    ];
    const policy = join(world.dir, 'policy.json');
    const rule = {
      name: 'web-reads',
      level: 'application',
      target: callee.id,
      effect: 'allow',
      mode: 'enforce',
      when: { all: [{ caller: { is: caller.id } }, { method: { is: 'GET' } }] },
    };
    await writeFile(policy, JSON.stringify([rule]));
    orders = await world.sidecar(callee, {
      SIGNET_MODE: 'service',
      SIGNET_INBOUND: `127.0.0.1:0->127.0.0.1:${(app.address() as AddressInfo).port}`,
      SIGNET_POLICY_FILE: policy,
    });
    web = await world.sidecar(caller, {
      SIGNET_MODE: 'service',
      SIGNET_OUTBOUND: '127.0.0.1:0',
      SIGNET_UPSTREAMS: `orders=${await orders.addressOf('inbound')}#${callee.id}`,
    });
    await Promise.all([orders.waitForEvent('ready'), web.waitForEvent('ready')]);
  });
  after(async () => {
    await world[Symbol.asyncDispose]();
    app.close();
  });

  it('of both ends, three times each, fails no request', async () => {
    const traffic = await startTraffic(await web.addressOf('outbound'));
    const third = ({ rotation }: { readonly [field: string]: unknown }) => rotation === 3;
    await Promise.all([orders.waitForEvent('svid', third, 30_000), web.waitForEvent('svid', third, 30_000)]);
    const { requests, failures } = await traffic.stop();
    console.log(`      ${requests} requests, ${failures.length} failed`);
    assert.deepEqual(failures, []);
    assert.ok(requests > 500);
    for (const sidecar of [orders, web]) {
      const serials = sidecar.logs().filter(({ event }) => event === 'svid');
      assert.equal(new Set(serials.map(({ serial }) => serial)).size, serials.length, 'a new SVID each time');
    }
  });

  it('as often as SIGHUP asks for it, too', async () => {
    const traffic = await startTraffic(await web.addressOf('outbound'));
    for (let i = 0; i < 10; i++) {
      for (const sidecar of [orders, web]) {
        const count = sidecar.logs().filter(({ event }) => event === 'svid').length;
        sidecar.send('SIGHUP');
        await sidecar.waitForEvent('svid', ({ rotation }) => Number(rotation) >= count);
      }
    }
    const { failures } = await traffic.stop();
    assert.deepEqual(failures, []);
  });
});

/** Eight callers that ask one request after the other, half of them over a new connection each time. */
async function startTraffic(outbound: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const [host, port] = outbound.split(':');
  const failures: string[] = [];
  let requests = 0;
  let stopped = false;
  const one = (kept: boolean) =>
    new Promise<void>((resolve) => {
      requests++;
      const failed = (why: string) => {
        failures.push(why);
        resolve();
      };
      request(
        { host, port, agent: kept ? agent : false, path: '/orders/7', headers: { Host: 'orders' } },
        (response) => {
          let body = '';
          response.setEncoding('utf8').on('data', (text: string) => (body += text));
          response.on('error', (error) => failed(error.message));
          response.on('end', () => {
            if (response.statusCode === 200 && body === 'ordered') resolve();
            else failed(`${response.statusCode} ${body.slice(0, 200)}`);
          });
        },
      )
        .on('error', (error) => failed(error.message))
        .end();
    });
  const lane = async (number: number) => {
    while (!stopped) await one(number % 2 === 0);
  };
  const lanes = Promise.all(Array.from({ length: 8 }, (_, number) => lane(number)));
  return {
    async stop() {
      stopped = true;
      await lanes;
      agent.destroy();
      return { requests, failures };
    },
  };
}
