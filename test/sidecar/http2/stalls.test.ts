import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  data,
  END_HEADERS,
  type FramePeer,
  headers,
  request,
  settings,
  windowUpdate,
} from '../../support/http2-frames.ts';
import { MIB } from '../pouring.ts';
import { besieged } from './besieged.ts';
import { ask, dialFrames, openSession } from './world.ts';

const CONNECTIONS = 4;
/** As many as one connection may have. */
const STREAMS = 100;
/** What each connection may cost, the app's side of it too: of 800 MiB that are asked for, or of 25 MiB that are sent. */
const HELD = 32 * MIB;
const AFTERWARDS = 24 * MIB;
const INITIAL_WINDOW = 4;
const ids = Array.from({ length: STREAMS }, (_, i) => 2 * i + 1);

type Stall = { begin(peer: FramePeer): void; go?(peer: FramePeer): void };

const asking = (window: number) => (peer: FramePeer) =>
  peer.send(settings({ [INITIAL_WINDOW]: window }), ...ids.map((id) => headers(id, request('/large'))));

const stalls: Readonly<Record<string, Stall>> = {
  'large answers with no window': { begin: asking(0) },
  'large answers with a window of one byte, and one byte more now and then': {
    begin: asking(1),
    go: (peer) => peer.send(windowUpdate(0, STREAMS), ...ids.map((id) => windowUpdate(id, 1))),
  },
  'bodies that nobody reads': {
    begin(peer) {
      const body = Array.from({ length: 15 }, () => Buffer.alloc(16_384));
      for (const id of ids)
        peer.send(
          headers(id, request('/unread', 'POST'), END_HEADERS),
          ...body.map((piece) => data(id, piece)),
        );
    },
  },
};

describe('HTTP/2: stalls', function () {
  this.timeout(60_000);

  for (const app of ['http/1.1', 'h2c'] as const)
    for (const [name, { begin, go }] of Object.entries(stalls))
      it(`${name}, of an app that speaks ${app}: held in bounds, and let go of with the connection`, async () => {
        await using target = await besieged(app);
        const other = await openSession(target.address, target.web);
        for (let i = 0; i < 100; i++) await ask(other, { ':path': '/a' });
        const rest = await target.memory();
        const peers = await Promise.all(
          Array.from({ length: CONNECTIONS }, () => dialFrames(target.address, target.web)),
        );
        for (const peer of peers) begin(peer);
        let most = 0;
        for (let round = 0; round < 20; round++) {
          for (const peer of peers) go?.(peer);
          assert.equal((await ask(other, { ':path': '/a' })).status, 200);
          most = Math.max(most, (await target.memory()).held - rest.held);
          await sleep(25);
        }
        assert.ok(most < CONNECTIONS * HELD, `${Math.round(most / MIB)} MiB`);
        for (const peer of peers) peer.socket.destroy();
        // long before any of its deadlines
        for (let tries = 0; tries < 100; tries++) {
          const { connections, held } = await target.memory();
          if (connections === rest.connections && held - rest.held < AFTERWARDS) break;
          assert.ok(
            tries < 99,
            `${connections} connections, ${Math.round((held - rest.held) / MIB)} MiB left`,
          );
          await sleep(50);
        }
        other.destroy();
      });
});
