import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { after, before, describe, it } from 'mocha';
import { until } from '../broker/site.ts';
import { openPublished, type Published } from './publishing.ts';
import { createWorld, type World } from './world.ts';

describe('what stands when rights change', function () {
  this.timeout(60_000);
  let world: World;
  let shop: Published;
  const echo = createServer((socket: Socket) => socket.on('error', () => {}).pipe(socket));
  let rawIn = '';
  let sidecar: Awaited<ReturnType<World['sidecar']>>;
  before(async () => {
    world = await createWorld();
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
    const { port } = echo.address() as { port: number };
    shop = await openPublished(world, `tcp:127.0.0.1:0->127.0.0.1:${port}`);
    const listening = await shop.orders.waitForEvent('listening', (line) => line['protocol'] === 'tcp');
    rawIn = String(listening['address']);
    const upstreams = `db@tcp:127.0.0.1:0=${rawIn}#${shop.callee.id} orders=${await shop.orders.addressOf('inbound')}#${shop.callee.id}`;
    sidecar = await world.sidecar(shop.caller, {
      SIGNET_MODE: 'service',
      SIGNET_OUTBOUND: '127.0.0.1:0',
      SIGNET_UPSTREAMS: upstreams,
    });
    await sidecar.waitForEvent('ready');
  });
  after(async () => {
    await shop?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
    echo.close();
  });

  const allow = (name: string, when: object) => ({
    ...{ name, level: 'application', target: shop.callee.id, effect: 'allow', mode: 'enforce', when },
  });
  const raw = () => allow('db', { method: { is: 'CONNECT' } });
  const http = () => allow('http', { method: { in: ['GET', 'POST'] } });
  const inForce = (version: number) =>
    shop.orders.waitForEvent('policy', (line) => line['version'] === version);
  /** A raw connection through both sidecars that has echoed something. */
  const open = async (): Promise<{ readonly socket: Socket; readonly over: Promise<unknown> }> => {
    const line = await sidecar.waitForEvent('listening', (each) => each['upstream'] === 'db');
    const [host, port] = String(line['address']).split(':');
    const socket = connect({ host: host!, port: Number(port) });
    socket.on('error', () => {});
    const over = new Promise((resolve) => socket.once('close', resolve));
    const heardFirst = new Promise((resolve) => socket.once('data', resolve));
    socket.write('hello');
    assert.equal(String(await Promise.race([heardFirst, over.then(() => 'closed')])), 'hello');
    return { socket, over };
  };

  it('a raw connection goes on under policies that permit it, and ends with the first that does not', async () => {
    await inForce(await shop.publish([raw(), http()]));
    const { socket, over } = await open();
    await inForce(await shop.publish([raw()]));
    socket.write('again');
    assert.equal(String((await once(socket, 'data'))[0]), 'again');
    await inForce(await shop.publish([http()]));
    await over;
    await shop.orders.waitForEvent('inbound_passages_cut');
  });

  it('a caller on the deny-list is cut, and let in no more until it is taken off', async () => {
    await inForce(await shop.publish([raw(), http()]));
    const { over } = await open();
    assert.equal((await shop.ask()).status, 200);
    const { code, stdout, stderr } = await shop.operator('deny', 'add', shop.caller.id, '--json');
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(stdout).ids, [shop.caller.id]);
    await shop.orders.waitForEvent('denylist');
    await over;
    assert.deepEqual(await shop.ask(), { status: 401, code: 'peer_denied' });
    assert.match((await shop.operator('deny', 'list')).stdout, new RegExp(`^${shop.caller.id}$`, 'm'));
    assert.equal((await shop.operator('deny', 'remove', shop.caller.id)).code, 0);
    await until(async () => (await shop.ask()).status === 200);
  });

  it('a server on the deny-list, by its serial, is cut and asked no more', async () => {
    const { over } = await open();
    const svid = await shop.orders.waitForEvent('svid');
    const before = sidecar.logs().filter(({ event }) => event === 'denylist').length;
    assert.equal((await shop.operator('deny', 'add', String(svid['serial']))).code, 0);
    await until(() => sidecar.logs().filter(({ event }) => event === 'denylist').length > before);
    await over;
    const { status, code } = await shop.ask('GET', sidecar);
    assert.deepEqual([status, code], [502, 'upstream_identity']);
    await sidecar.waitForEvent('upstream_cut');
    assert.equal((await shop.operator('deny', 'remove', String(svid['serial']))).code, 0);
    await until(async () => (await shop.ask('GET', sidecar)).status === 200);
  });

  it('is nothing for an author to do: the deny-list is written by operators, policies by authors', async () => {
    const denied = await shop.author('deny', 'add', shop.caller.id);
    assert.equal(denied.code, 1);
    assert.match(denied.stderr, /VAULT_DENIED/);
    const published = await shop.operator('policy', 'rollback');
    assert.equal(published.code, 1);
    assert.match(published.stderr, /VAULT_DENIED/);
  });
});
