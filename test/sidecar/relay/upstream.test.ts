import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { OnReadOpts, Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { HeadWriter } from '../../../sidecar/http1/index.ts';
import type { Caller } from '../../../sidecar/relay/caller.ts';
import { Pool, RELAY_LIMITS, type Upstream } from '../../../sidecar/relay/index.ts';
import { Ticker } from '../../../sidecar/relay/ticker.ts';

/** One who has to read before more can be sent, and takes what is sent all the same. */
class SlowCaller implements Caller {
  readonly isHead = false;
  readonly http11 = true;
  readonly requestSent = true;
  up: Upstream | null = null;
  text = '';
  readonly done = Promise.withResolvers<void>();
  awaits() {
    return true;
  }
  connected(up: Upstream) {
    this.up = up;
    up.start(this, Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n'));
  }
  upstreamDrained() {}
  upstreamFailed() {
    this.done.reject(new Error('failed'));
  }
  endsWith() {
    return false;
  }
  sendInterim() {}
  sendHead(piece: Buffer) {
    this.text += piece;
    return false;
  }
  send(piece: Buffer) {
    this.text += piece;
    return false;
  }
  responseDone() {
    this.done.resolve();
  }
}

describe('a connection of a pool', () => {
  it('reads again when a response ends that came faster than its caller read it', async () => {
    let read: OnReadOpts | null = null;
    const socket = new PassThrough();
    using ticker = new Ticker();
    const pool = new Pool(
      {
        readyEvent: 'connect',
        open: (_address, onread) => {
          read = onread;
          setImmediate(() => socket.emit('connect'));
          return socket as unknown as Socket;
        },
        usable: () => true,
        problem: () => ({ status: 502, code: 'failed', detail: '' }),
      },
      {
        limits: RELAY_LIMITS,
        ticker,
        writer: new HeadWriter(),
        readBuffer: Buffer.alloc(65_536),
      },
    );
    const caller = new SlowCaller();
    pool.dial(caller);
    await once(socket, 'connect');
    const { buffer, callback } = read! as { buffer: Buffer; callback: OnReadOpts['callback'] };
    const receive = (text: string) => callback(buffer.write(text), buffer);
    assert.equal(receive('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc'), false, 'it is told to pause');
    assert.equal(socket.isPaused(), true);
    // TLS had more of it in hand
    receive('def');
    await caller.done.promise;
    assert.match(caller.text, /abcdef$/);
    assert.equal(pool.take(), caller.up, 'it is kept');
    assert.equal(socket.isPaused(), false);
    pool.destroy();
  });
});
