import assert from 'node:assert/strict';
import type { ClientHttp2Session } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FramePeer } from '../../support/http2-frames.ts';
import { MIB } from '../pouring.ts';
import { until } from '../sockets.ts';
import { type Besieged, besieged } from './besieged.ts';
import { type Flood, floods } from './floods.ts';
import { ask, dialFrames, openSession } from './world.ts';

/** How a flood comes: as fast as the socket takes it, or so slowly that each part is read by itself and answered. */
const paces = {
  'at once': { pieceBytes: () => 65_536, pauseMs: 0, mostBytes: 24 * MIB },
  // a busy machine makes the pauses longer
  paced: { pieceBytes: (ms: number) => 1_024 * Math.min(16, ms), pauseMs: 1, mostBytes: 8 * MIB },
};
/** What the proxy and its app may hold more than before, while a flood comes. */
const HELD = 16 * MIB;
const RESIDENT = 96 * MIB;

describe('HTTP/2: floods', function () {
  this.timeout(30_000);
  let target: Besieged;
  let other: ClientHttp2Session;
  /** What it has when nothing is under way, but everything was once. */
  let rest: Awaited<ReturnType<Besieged['memory']>>;

  before(async () => {
    target = await besieged('http/1.1');
    other = await openSession(target.address, target.web);
    for (let i = 0; i < 200; i++) await ask(other, { ':path': '/a' });
    rest = await target.memory();
  });

  after(async () => {
    other.destroy();
    await target[Symbol.asyncDispose]();
  });

  /** Asks as another peer and measures, until the flood is over. */
  async function watch(flooding: Promise<void>): Promise<void> {
    let over = false;
    const ended = flooding.finally(() => {
      over = true;
    });
    ended.catch(() => {});
    do {
      assert.equal((await ask(other, { ':path': '/a' })).status, 200);
      const { held, rss } = await target.memory();
      const most = `${Math.round((held - rest.held) / MIB)} MiB held, ${Math.round((rss - rest.rss) / MIB)} MiB resident`;
      assert.ok(held - rest.held < HELD && rss - rest.rss < RESIDENT, most);
    } while (!over);
    await ended;
  }

  for (const [name, flood] of Object.entries(floods))
    for (const [pace, how] of Object.entries(paces))
      it(`${name}, ${pace}`, async () => {
        using peer = await dialFrames(target.address, target.web);
        await watch(pour(peer, flood, how));
        await until(() => peer.closed);
        assert.equal((await ask(other, { ':path': '/a' })).status, 200);
        const newcomer = await openSession(target.address, target.web);
        assert.equal((await ask(newcomer, { ':path': '/a' })).status, 200);
        newcomer.destroy();
      });
});

/** Sends rounds until the other end has had enough. @throws when it never has */
async function pour(peer: FramePeer, flood: Flood, how: (typeof paces)['paced']): Promise<void> {
  const { socket } = peer;
  let stream = flood.begin === undefined ? 1 : 3;
  let bytes = 0;
  peer.send(...(flood.begin ?? []));
  const goneOrRead = () => !socket.writable || socket.writableLength === 0;
  let last = Date.now() - 1;
  while (socket.writable && peer.farewell === undefined) {
    const now = Date.now();
    const parts: Buffer[] = [];
    for (let left = how.pieceBytes(now - last); left > 0; stream += 2) {
      const round = Buffer.concat(flood.round(stream));
      parts.push(round);
      left -= round.length;
    }
    last = now;
    const piece = Buffer.concat(parts);
    bytes += piece.length;
    assert.ok(bytes < how.mostBytes, `${bytes} bytes were taken`);
    if (!socket.write(piece)) await until(goneOrRead);
    await sleep(how.pauseMs);
  }
}
