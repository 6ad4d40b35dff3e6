import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocketServer } from 'ws';
import { createMetrics } from '../../lib/adapter/metrics.ts';
import { kosokuFolder } from '../../setup/kosoku.mjs';
import { createOutbound } from '../../sidecar/outbound/index.ts';
import { pair, upstream } from '../sidecar/outbound/world.ts';
import { portOf } from '../sidecar/sockets.ts';
import { clock, quiet } from '../sidecar/support.ts';

/**
 * Asked for one group after the other: the suite's own program, native code, now and then dies of itself, with no sidecar in its way, and
 * then only its group has to be asked for again. Left out are 9, 12 and 13, throughput and compression of messages at length: they try the
 * library at the far end and not what is between.
 */
const GROUPS = ['1.*', '2.*', '3.*', '4.*', '5.*', '6.*', '7.*', '10.*'];
const MOST_DEATHS = 8;
const RUN = `
import asyncio, json, sys
from kosoku import FailureError, run_fuzzingclient
async def main():
    try:
        results = await run_fuzzingclient(sys.argv[1], [sys.argv[2]])
    except FailureError as error:
        results = error.results
    json.dump({r.case_id: [r.passed, r.behavior.value, r.behavior_close.value] for r in results}, open(sys.argv[3], "w"))
asyncio.run(main())
`;

/** Of each case: whether it passed, how the server behaved, and how it closed. */
type Verdicts = Record<string, readonly [passed: boolean, behaviour: string, close: string]>;

/** How the server at this port behaved in each of Autobahn's cases. */
async function verdicts(folder: string, port: number): Promise<Verdicts> {
  const all: Record<string, Verdicts[string]> = {};
  for (const group of GROUPS) Object.assign(all, await verdictsOf(group, folder, port));
  return all;
}

async function verdictsOf(group: string, folder: string, port: number): Promise<Verdicts> {
  const dir = mkdtempSync(join(tmpdir(), 'signet-kosoku-'));
  try {
    const file = join(dir, 'results.json');
    for (let deaths = 0; ; deaths++) {
      const child = spawn('python3', ['-c', RUN, `127.0.0.1:${port}`, group, file], {
        env: { ...process.env, PYTHONPATH: folder },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let errors = '';
      child.stderr.on('data', (text) => {
        errors += text;
      });
      const [code, signal] = await once(child, 'close');
      if (signal !== null && deaths < MOST_DEATHS) continue;
      assert.equal(code, 0, `cases ${group}: ${signal} ${errors}`);
      return JSON.parse(readFileSync(file, 'utf8')) as Verdicts;
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

describe("conformance: Autobahn's WebSocket cases through both sidecars", function () {
  this.timeout(120_000);

  it('end as they do without them', async function () {
    const folder = kosokuFolder();
    if (folder === undefined) {
      assert.notEqual(process.env['CI'], 'true', 'kosoku is not installed');
      this.skip();
    }
    await using stack = new AsyncDisposableStack();
    const app = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    stack.defer(() => {
      for (const socket of app.clients) socket.terminate();
      app.close();
    });
    app.on('connection', (socket) => {
      socket.on('error', () => {});
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
    await once(app, 'listening');
    const appPort = (app.address() as AddressInfo).port;
    await using p = await pair({ inbound: { appPort } });
    // the suite names its server by its address, and so does its Host header
    await using outbound = await createOutbound({
      listen: { host: '127.0.0.1', port: 0 },
      upstreams: [upstream('127.0.0.1', [portOf(p.inbound.address)])],
      credentials: p.web,
      clock,
      log: quiet,
      metrics: createMetrics(),
    });
    const direct = await verdicts(folder, appPort);
    const through = await verdicts(folder, portOf(outbound.address));
    const cases = Object.keys(direct);
    const differing = cases.filter((id) => String(through[id]) !== String(direct[id]));
    const failed = cases.filter((id) => through[id]?.[0] !== true);
    console.log(
      `autobahn: ${cases.length - failed.length} passed, ${failed.length} failed, ${differing.length} unlike the same without sidecars`,
    );
    assert.ok(cases.length > 200, `${cases.length} cases`);
    assert.deepEqual(differing, []);
  });
});
