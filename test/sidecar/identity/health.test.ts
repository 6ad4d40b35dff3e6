import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { runProcess } from '../../../harness/processes.ts';
import { createStage, type Stage } from './stage.ts';

const EVERYWHERE = { SIGNET_HEALTH: '0.0.0.0:0' };

describe('the health listener', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await createStage();
  });
  afterEach(() => stage[Symbol.asyncDispose]());

  const started = async (more: Readonly<Record<string, string>> = {}) => {
    const sidecar = await stage.sidecar({ ...EVERYWHERE, ...more });
    const [host, port] = (await sidecar.addressOf('health')).split(':');
    assert.equal(host, '0.0.0.0');
    const raw = (head: string) => {
      const socket = connect(Number(port), '127.0.0.1');
      socket.end(`${head}\r\n\r\n`);
      return text(socket);
    };
    const ask = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init);
    return { sidecar, ask, raw };
  };

  it('says that it is ready when there is an SVID, and not before', async () => {
    const early = await started({ SIGNET_BROKER_URL: 'https://127.0.0.1:1' });
    assert.equal((await early.ask('/healthz')).status, 200);
    const waiting = await early.ask('/readyz');
    assert.deepEqual([waiting.status, await waiting.text()], [503, 'not ready\n'], 'and not what is missing');
    const late = await started();
    await late.sidecar.waitForEvent('ready');
    const ready = await late.ask('/readyz');
    assert.deepEqual([ready.status, await ready.text()], [200, 'ok\n']);
  });

  it('answers nothing else, however it is asked', async () => {
    const { ask, raw } = await started();
    for (const path of [
      '/',
      '/status',
      '/metrics',
      '/jwks',
      '/rotate',
      '/readyz/',
      '/readyz?x=1',
      '/healthz/..',
    ])
      assert.equal((await ask(path)).status, 404, path);
    for (const method of ['POST', 'PUT', 'DELETE'])
      assert.equal(
        (await ask('/readyz', { method, ...(method === 'DELETE' ? {} : { body: 'x' }) })).status,
        405,
      );
    const head = await ask('/healthz', { method: 'HEAD' });
    assert.deepEqual([head.status, await head.text()], [200, '']);
    assert.match(
      await raw(`GET /readyz HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(8_192)}`),
      /^HTTP\/1.1 431/,
    );
    assert.match(await raw('nonsense'), /^HTTP\/1.1 400/);
    assert.equal((await ask('/healthz')).status, 200, 'as before');
  });

  it('takes a bounded number of connections, which end by themselves', async () => {
    const { ask, sidecar } = await started();
    const port = Number((await sidecar.addressOf('health')).split(':')[1]);
    const silent = Array.from({ length: 64 }, () => connect(port, '127.0.0.1').on('error', () => {}));
    await Promise.all(
      silent.map((socket) => new Promise((resolve) => socket.resume().once('close', resolve))),
    );
    assert.equal((await ask('/healthz')).status, 200);
  });

  it('answers the kubelet while a stranger keeps as many connections open as he can', async () => {
    const { ask, sidecar } = await started();
    const port = Number((await sidecar.addressOf('health')).split(':')[1]);
    const silent = new Set<Socket>();
    let over = false;
    const hold = () => {
      const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' }).on('error', () => {});
      silent.add(socket);
      socket.resume().once('close', () => {
        silent.delete(socket);
        if (!over) setImmediate(hold);
      });
    };
    for (let i = 0; i < 64; i++) hold();
    try {
      for (let i = 0; i < 20; i++) assert.equal((await ask('/healthz')).status, 200);
    } finally {
      over = true;
      for (const socket of silent) socket.destroy();
    }
  });

  it('is off unless it is asked for', async () => {
    const sidecar = await stage.sidecar();
    await sidecar.waitForEvent('ready');
    assert.equal(sidecar.stderr().includes('"what":"health"'), false);
  });

  it('keeps the sidecar from starting where its address is no address', async () => {
    const env = { ...stage.environment, SIGNET_HEALTH: 'everywhere' };
    const { code, stderr } = await runProcess({ args: ['sidecar'], env });
    assert.equal(code, 2);
    assert.match(stderr, /^signet sidecar: SIGNET_HEALTH is not an address/m);
  });
});
