import assert from 'node:assert/strict';
import { pair } from '../outbound/world.ts';
import { DIGEST, MIB, POURED, peak, pour, ROOM, slowly } from '../pouring.ts';
import { dialPlain, until } from '../sockets.ts';
import { asking, switching } from './handshake.ts';

describe('websocket: 200 MiB through both sidecars with flat memory', function () {
  this.timeout(60_000);

  for (const from of ['client', 'app'] as const) {
    it(`from the ${from}, to one that reads slowly at first`, async () => {
      await using p = await pair({
        inbound: {
          answer: ({ socket, received }) => void (received.endsWith('\r\n\r\n') && socket.write(switching())),
        },
      });
      using client = await dialPlain(p.outbound.address);
      client.send(asking());
      await client.hears('\r\n\r\n');
      const app = p.app.connections[0]!.socket;
      const [writer, reader] = from === 'client' ? [client.socket, app] : [app, client.socket];
      const read = slowly(reader);
      const most = await peak(async () => {
        await pour(writer);
        await until(
          () => read.bytes === POURED,
          () => `${read.bytes} bytes`,
        );
      });
      assert.equal(read.digest(), DIGEST);
      assert.ok(most < ROOM, `${Math.round(most / MIB)} MiB`);
    });
  }
});
