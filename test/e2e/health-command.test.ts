import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { freePort } from '../../harness/port.ts';
import { runProcess } from '../../harness/processes.ts';
import { createWorld, type Registered, type World } from './world.ts';

describe('signet sidecar health and signet broker health', function () {
  this.timeout(60_000);
  let world: World;
  let orders: Registered;
  before(async () => {
    world = await createWorld();
    orders = await world.register('orders');
  });
  after(() => world?.[Symbol.asyncDispose]());

  const health = (program: 'sidecar' | 'broker', env: Readonly<Record<string, string>>) =>
    runProcess({ args: [program, 'health'], env });

  for (const [how, settings] of [
    ['SIGNET_HEALTH', async () => ({ SIGNET_HEALTH: `0.0.0.0:${await freePort()}` })],
    ['SIGNET_HEALTH before SIGNET_ADMIN', async () => ({ SIGNET_HEALTH: `[::]:${await freePort()}` })],
    ['SIGNET_ADMIN', async () => ({ SIGNET_ADMIN: `127.0.0.1:${await freePort()}` })],
    ['SIGNET_ADMIN as a socket', async () => ({ SIGNET_ADMIN: `unix:${join(world.dir, 'admin')}` })],
  ] as const)
    it(`the sidecar is ready, by ${how}, for as long as it runs`, async () => {
      const env: Record<string, string> = await settings();
      const sidecar = await world.sidecar(orders, env);
      await sidecar.waitForEvent('ready');
      assert.deepEqual(await health('sidecar', env), {
        ...{ code: 0, signal: null, stdout: '', stderr: '' },
      });
      await sidecar.stop();
      const { code, stderr } = await health('sidecar', env);
      assert.equal(code, 1);
      assert.match(stderr, /^signet sidecar health: no answer where SIGNET_(HEALTH|ADMIN) says: .+\n$/);
    });

  it('a sidecar without an SVID is not ready, and says what it lacks', async () => {
    const env = { SIGNET_ADMIN: `127.0.0.1:${await freePort()}` };
    const lost = { ...env, SIGNET_BROKER_URL: 'https://127.0.0.1:1' };
    const sidecar = await world.sidecar(orders, lost);
    await sidecar.addressOf('admin');
    const { code, stdout, stderr } = await health('sidecar', env);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^signet sidecar health: not ready: 503 \{.*"svid".*\}\n$/);
    await sidecar.stop();
  });

  it('the broker is ready, and is not when it is gone', async () => {
    const env = { SIGNET_ADMIN: `127.0.0.1:${await freePort()}` };
    await world.broker.stop();
    const broker = await world.startBroker(env);
    await broker.addressOf('broker');
    assert.equal((await health('broker', env)).code, 0);
    await broker.stop();
    assert.equal((await health('broker', env)).code, 1);
    await world.startBroker();
  });

  for (const [what, greet] of [
    ['says nothing', ''],
    ['answers without end', `HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n${'x'.repeat(99_000)}`],
    ['is no HTTP server', 'SSH-2.0-x\r\n'],
  ] as const)
    it(`who ${what} is not ready`, async () => {
      const server = createServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => socket.write(greet));
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as { port: number };
      const { code, stderr } = await health('sidecar', { SIGNET_HEALTH: `127.0.0.1:${port}` });
      server.close();
      assert.equal(code, 1);
      assert.match(stderr, /^signet sidecar health: no answer where SIGNET_HEALTH says: /);
    });

  const wrong: readonly ['sidecar' | 'broker', Readonly<Record<string, string>>, RegExp][] = [
    ['sidecar', {}, /SIGNET_ADMIN has no fixed port/],
    ['sidecar', { SIGNET_HEALTH: '0.0.0.0:0' }, /SIGNET_HEALTH has no fixed port/],
    ['sidecar', { SIGNET_HEALTH: 'here' }, /SIGNET_HEALTH is not an address/],
    ['sidecar', { SIGNET_ADMIN: '10.0.0.1:80' }, /SIGNET_ADMIN is not on loopback/],
    ['broker', {}, /SIGNET_ADMIN has no fixed port/],
    ['broker', { SIGNET_ADMIN: '10.0.0.1:80' }, /SIGNET_ADMIN is not on loopback/],
  ];
  for (const [program, env, told] of wrong)
    it(`is wrong usage: ${program} with ${JSON.stringify(env)}`, async () => {
      const { code, stderr } = await health(program, env);
      assert.equal(code, 2);
      assert.match(stderr, told);
    });
});
