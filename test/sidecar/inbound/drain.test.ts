import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { dialTls, portOf, until } from '../sockets.ts';
import { answering, OK, world } from './world.ts';

const GET = 'GET /a HTTP/1.1\r\nHost: orders\r\n\r\n';
/** By then the listener has taken a connection that the kernel made. */
const ACCEPTED_MS = 50;

describe('inbound: drain', () => {
  it('lets a request under way end, tells its caller to close, and accepts no more', async () => {
    await using w = await world({ answer: () => {} });
    using client = await w.dial();
    using idle = await w.dial();
    client.send(GET);
    await until(() => w.app.received !== '');
    const closed = w.inbound.close({ deadlineMs: 5_000 });
    using late = await w.dial();
    late.send(GET);
    await late.ends();
    assert.match(late.error?.code ?? '', /ECONNREFUSED|ECONNRESET/);
    w.app.connections[0]!.socket.write(OK);
    assert.equal(await client.ends(), OK.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n'));
    assert.equal(await idle.ends(), '');
    assert.equal(await closed, 0);
  });

  it('cuts what is left at the deadline, and says how much that was', async () => {
    await using w = await world({ answer: () => {} });
    using client = await w.dial();
    client.send(GET);
    await until(() => w.app.received !== '');
    assert.equal(await w.inbound.close({ deadlineMs: 100 }), 1);
    await client.ends();
  });

  it('does not wait for a handshake that nobody goes on with', async () => {
    await using w = await world();
    const socket = connect(portOf(w.inbound.address), '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    await new Promise((resolve) => setTimeout(resolve, ACCEPTED_MS));
    const began = performance.now();
    assert.equal(await w.inbound.close({ deadlineMs: 10_000 }), 0);
    assert.ok(performance.now() - began < 5_000);
    socket.destroy();
  });

  it('waits for a handshake under way, and serves the request behind it', async () => {
    await using w = await world();
    const socket = connect(portOf(w.inbound.address), '127.0.0.1');
    await once(socket, 'connect');
    await new Promise((resolve) => setTimeout(resolve, ACCEPTED_MS));
    const closed = w.inbound.close({ deadlineMs: 5_000 });
    await new Promise((resolve) => setTimeout(resolve, ACCEPTED_MS));
    using client = await dialTls(w.inbound.address, w.web, { socket });
    client.send(GET);
    assert.match(await client.ends(), /200 OK.*connection: close/s);
    assert.equal(await closed, 0);
  });

  it('loses no request under load', async () => {
    await using w = await world({ answer: answering() });
    let [sent, answered, stop] = [0, 0, false];
    const caller = async () => {
      while (!stop) {
        using client = await w.dial();
        if (client.error !== null) return;
        for (let heard = 0; !stop; heard++) {
          client.send(GET);
          sent++;
          await client.hears((text) => text.split('200 OK').length > heard + 1);
          answered++;
          if (client.received.includes('connection: close')) break;
        }
      }
    };
    const callers = Array.from({ length: 20 }, caller);
    await until(() => answered > 500);
    const cut = await w.inbound.close({ deadlineMs: 5_000 });
    stop = true;
    await Promise.all(callers);
    assert.deepEqual([cut, answered], [0, sent]);
  });
});
