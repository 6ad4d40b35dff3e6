import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, WebSocket as WsSocket } from 'ws';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { createOutbound, type Outbound } from '../../../sidecar/outbound/index.ts';
import { type Pair, pair, upstream } from '../../sidecar/outbound/world.ts';
import { portOf } from '../../sidecar/sockets.ts';
import { clock, quiet } from '../../sidecar/support.ts';
import { filled } from './asks.ts';

type Said = { readonly binary: boolean; readonly length: number; readonly sha256: string };
/** What a client saw of one connection. */
type Conversation = {
  readonly protocol: string;
  readonly extensions: string;
  readonly heard: readonly Said[];
  readonly close: readonly [code: number, reason: string, clean: boolean];
};

const SPOKEN = ['', 'grüße', 'x'.repeat(126), Buffer.alloc(0), filled(65_536), filled(8 << 20)] as const;
/** The app is asked to close by these words. */
const LAST = ['close 1000 ', 'close 4001 done', 'close 1011 oh', 'terminate'] as const;

function startApp(perMessageDeflate: boolean): WebSocketServer {
  const app = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate });
  app.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data: Buffer, isBinary) => {
      const [, code, reason] = /^close (\d+) (.*)$/.exec(isBinary ? '' : String(data)) ?? [];
      if (!isBinary && String(data) === 'terminate') socket.terminate();
      else if (code !== undefined) socket.close(Number(code), reason);
      else socket.send(data, { binary: isBinary });
    });
  });
  return app;
}

/** Node's own client and the library's have the same surface. */
async function converse(socket: WebSocket | WsSocket, last: string | null): Promise<Conversation> {
  const it = socket as WebSocket;
  it.binaryType = 'arraybuffer';
  const heard: Said[] = [];
  const closed = new Promise<Conversation['close']>((resolve) => {
    it.onclose = ({ code, reason, wasClean }) => resolve([code, reason, wasClean]);
  });
  it.onerror = () => {};
  await new Promise<void>((resolve, reject) => {
    it.onopen = () => resolve();
    void closed.then(() => reject(new Error('it was closed before it was open')));
  });
  const { protocol, extensions } = it;
  const all = new Promise<void>((resolve) => {
    it.onmessage = ({ data }: { data: string | ArrayBuffer }) => {
      const bytes = typeof data === 'string' ? Buffer.from(data) : Buffer.from(data);
      heard.push({
        binary: typeof data !== 'string',
        length: bytes.length,
        sha256: hash('sha256', bytes),
      });
      if (heard.length === SPOKEN.length) resolve();
    };
  });
  for (const words of SPOKEN) it.send(words);
  await all;
  if (last === null) it.close(4002, 'enough');
  else it.send(last);
  return { protocol, extensions, heard, close: await closed };
}

describe('strangers: WebSockets through both sidecars as if it were direct', () => {
  const clients = {
    ws: (port: number) => new WsSocket(`ws://127.0.0.1:${port}/chat?room=1`, ['chat', 'other']),
    'Node’s own': (port: number) => new WebSocket(`ws://127.0.0.1:${port}/chat?room=1`, ['chat', 'other']),
  } as const;
  for (const deflate of [false, true])
    describe(deflate ? 'compressed' : 'not compressed', () => {
      let app: WebSocketServer;
      let p: Pair;
      let outbound: Outbound;
      before(async () => {
        app = startApp(deflate);
        await once(app, 'listening');
        p = await pair({ inbound: { appPort: (app.address() as AddressInfo).port } });
        // Node's client names its server by its address alone
        outbound = await createOutbound({
          listen: { host: '127.0.0.1', port: 0 },
          upstreams: [upstream('127.0.0.1', [portOf(p.inbound.address)])],
          credentials: p.web,
          clock,
          log: quiet,
          metrics: createMetrics(),
        });
      });
      after(async () => {
        for (const socket of app.clients) socket.terminate();
        app.close();
        await outbound.close({ deadlineMs: 0 });
        await p[Symbol.asyncDispose]();
      });

      for (const [name, open] of Object.entries(clients))
        for (const last of [null, ...LAST])
          it(`${name}: ${last ?? 'closed by the client'}`, async () => {
            const direct = await converse(open((app.address() as AddressInfo).port), last);
            const through = await converse(open(portOf(outbound.address)), last);
            assert.deepEqual(through, direct);
            assert.equal(direct.protocol, 'chat');
            assert.equal(direct.extensions.includes('permessage-deflate'), deflate);
            assert.equal(direct.heard.length, SPOKEN.length);
          });
    });
});
