import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { dialTls, portOf, until } from '../sockets.ts';
import { credentialsFor, WEB } from '../support.ts';
import { rawPair } from './world.ts';

/** A reset below TLS goes deep into Node: it must never take the process with it. */
describe('tcp: a storm of connections that break off at any moment', function () {
  this.timeout(60_000);

  it('leaves nothing behind', async () => {
    let [denied, turn] = [false, 0];
    await using p = await rawPair({
      denied: () => (denied ? 'id' : null),
      answer: ({ socket }) => {
        if (turn++ % 3 === 0) socket.resetAndDestroy();
        else socket.write(Buffer.alloc(100_000));
      },
    });
    const breakOff = async (n: number) => {
      using client = await p.dial();
      client.send('x'.repeat(1 + (n % 5) * 20_000));
      await new Promise((resolve) => setTimeout(resolve, n % 30));
      if (n % 7 === 0) p.inbound.recheck();
      if (n % 2 === 0) client.socket.resetAndDestroy();
      else client.socket.destroy();
    };
    for (let round = 0; round < 20; round++) {
      denied = round % 4 === 3;
      await Promise.all(Array.from({ length: 30 }, (_, i) => breakOff(round * 30 + i)));
    }
    denied = false;
    await until(
      () => p.inbound.connections === 0 && p.outbound.connections === 0,
      () => `${p.inbound.connections} inbound and ${p.outbound.connections} outbound connections are left`,
    );
    p.app.onConnection = ({ socket }) => void socket.write('well');
    using client = await p.dial();
    assert.equal(await client.hears('well'), 'well');
  });

  it('survives peers that are gone as soon as their handshake is over', async () => {
    for (const documents of [undefined, () => []]) {
      await using p = await rawPair(documents === undefined ? {} : { documents });
      const web = await credentialsFor(p.ca, WEB);
      for (let n = 0; n < 20; n++) {
        const carrier = connect(portOf(p.inbound.tcp[0]!), '127.0.0.1');
        carrier.on('error', () => {});
        using client = await dialTls('', web, { socket: carrier, ALPNProtocols: ['signet-tcp'] });
        // by then the last of its handshake is on its way, and nothing of it was read
        await new Promise((resolve) => setImmediate(resolve));
        carrier.resetAndDestroy();
        await client.ends();
      }
      await until(() => p.inbound.connections === 0);
    }
  });
});
