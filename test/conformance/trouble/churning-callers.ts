import { once } from 'node:events';
import { request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { exchange } from './http1-callers.ts';
import { type Caller, OK, type Place } from './traffic.ts';

/** One that does these in turns, each on a connection of its own. */
function inTurns(acts: readonly (() => Promise<string>)[]): Caller {
  let turn = 0;
  return { once: async () => [await acts[turn++ % acts.length]!()], close: () => {} };
}

const as = (wanted: string, outcome: string) => (outcome === wanted ? OK : outcome);

/** Asks for what must be refused. */
export function refusedCaller(place: Place): Caller {
  const [host = '', port] = place.http.split(':');
  const saying = async (text: string, wanted: RegExp) => {
    const socket = connect(Number(port), host);
    let heard = '';
    socket.on('error', () => {});
    socket.setEncoding('latin1').on('data', (piece: string) => (heard += piece));
    socket.write(text);
    await once(socket, 'close');
    return wanted.test(heard) ? OK : heard;
  };
  return inTurns([
    async () => as('403 policy_denied', await exchange(place, false, 'GET', '/flip/1')),
    async () => as('403 policy_denied', await exchange(place, false, 'POST', '/flip/2')),
    () =>
      saying(
        'GET / HTTP/1.1\r\nHost: nobody\r\nConnection: close\r\n\r\n',
        /^HTTP\/1.1 404 .*unknown_upstream/s,
      ),
    () => saying('GET  / HTTP/1.1\r\nHost: orders\r\n\r\n', /^HTTP\/1.1 400 /),
    () => saying('CONNECT orders:443 HTTP/1.1\r\nHost: orders:443\r\n\r\n', /^HTTP\/1.1 501 /),
    () => saying(`GET / HTTP/1.1\r\nHost: orders\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1.1 431 /),
  ]);
}

/** Leaves at every moment of an exchange. */
export function leavingCaller(place: Place): Caller {
  const [host, port] = place.http.split(':');
  let number = 0;
  const leave = async (method: string, path: string, body: string | null) => {
    const asked = request({
      host,
      port,
      agent: false,
      method,
      path,
      headers: { Host: 'orders', 'Content-Length': 1_000 },
    });
    asked.on('error', () => {});
    asked.on('response', (response) => response.on('error', () => {}).resume());
    if (body === null) asked.end('x'.repeat(1_000));
    else asked.write(body);
    await wait(number++ % 20);
    asked.destroy();
    return OK;
  };
  return inTurns([
    () => leave('GET', '/slow/1', null),
    () => leave('GET', '/left/19999', null),
    () => leave('POST', '/left/1', 'half'),
    async () => {
      const session = connectHttp2(`http://${place.http}`);
      session.on('error', () => {});
      for (const path of ['/slow/1', '/left/19999']) {
        const stream = session.request({ ':authority': 'orders', ':path': path });
        stream.on('error', () => {});
        setTimeout(() => stream.close(8), number % 20);
      }
      await wait(number++ % 30);
      session.destroy();
      return OK;
    },
  ]);
}

/** Opens, says something, hears it, and closes. */
export function comingCaller(place: Place): Caller {
  return inTurns([
    async () => {
      const socket = new WebSocket(`ws://${place.http}/chat`, { headers: { Host: 'orders' } });
      let heard = '';
      socket.on('error', ({ message }) => (heard = message));
      socket.on('message', (words) => {
        heard = String(words);
        socket.close(1000);
      });
      socket.on('open', () => socket.send('well'));
      const [code] = await once(socket, 'close');
      return heard === 'well' && code === 1000 ? OK : `${heard} ${code}`;
    },
    async () => {
      const [host, port] = place.tcp.split(':');
      const socket = connect(Number(port), host);
      let heard = '';
      socket.on('error', ({ message }) => (heard = message));
      socket.setEncoding('latin1').on('data', (piece: string) => (heard += piece));
      socket.end('well');
      await once(socket, 'close');
      return as('well', heard);
    },
  ]);
}
