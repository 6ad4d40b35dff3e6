import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { untilFree } from '../../../sidecar/workers/free-ports.ts';
import { quiet } from '../support.ts';
import { createWorkersStage } from './stage.ts';

async function listening(port = 0): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer().listen({ port, host: '127.0.0.1', reusePort: true });
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

describe('ports that several workers are to share', () => {
  const stop = new AbortController().signal;

  it('are waited for while somebody else shares them', async () => {
    const { server, port } = await listening();
    const address = { host: '127.0.0.1', port };
    await assert.rejects(untilFree([address], { log: quiet, stop, ms: 300 }), { code: 'EADDRINUSE' });
    const free = untilFree([address], { log: quiet, stop, ms: 20_000 });
    server.close();
    await free;
    await (await listening(port)).server[Symbol.asyncDispose]();
  });

  it('that cannot be had at all are not waited for', async () => {
    const elsewhere = { host: '192.0.2.1', port: 8443 };
    await assert.rejects(untilFree([elsewhere], { log: quiet, stop }), { code: 'EADDRNOTAVAIL' });
  });

  it('keep a sidecar waiting before any evidence is shown', async function () {
    this.timeout(60_000);
    await using stage = await createWorkersStage();
    const { server, port } = await listening();
    const sidecar = await stage.start(2, { SIGNET_OUTBOUND: `127.0.0.1:${port}` });
    await sidecar.waitForEvent('port_taken', ({ address }) => address === `127.0.0.1:${port}`);
    assert.deepEqual(stage.broker.asked, []);
    assert.deepEqual(JSON.parse((await sidecar.get('/readyz')).text), { ready: false, missing: ['worker'] });
    const { status, text } = await sidecar.post('/restart');
    assert.deepEqual([status, JSON.parse(text)], [503, { ok: false, code: 'starting', replaced: 0 }]);
    server.close();
    await sidecar.ready();
  });
});
