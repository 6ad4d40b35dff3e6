import { randomUUID } from 'node:crypto';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { connect } from 'node:net';
import { WebSocket } from 'ws';
import { GrpcClient } from '../../sidecar/http2/grpc-app.ts';
import { textOf } from './shop-app.ts';
import { AGAIN, type Caller, OK, PARTED, type Place, told } from './traffic.ts';

const AT_ONCE = 4;
/** A stream that was asked for on a connection that had ended, or was refused: nobody acted on it. */
const UNSENT = ['ERR_HTTP2_GOAWAY_SESSION', 'ERR_HTTP2_INVALID_SESSION', 'ECONNREFUSED'];

/** GETs and POSTs as streams of one HTTP/2 connection. */
export function http2Caller(place: Place, prefix = '/h2'): Caller {
  let session: ClientHttp2Session | null = null;
  let number = 0;
  const open = () => {
    const fresh = connectHttp2(`http://${place.http}`);
    const leave = () => {
      if (session === fresh) session = null;
    };
    fresh.on('error', leave);
    fresh.on('goaway', leave);
    fresh.on('close', leave);
    return fresh;
  };
  const one = (method: 'GET' | 'POST', path: string) => {
    session ??= open();
    return streamed(session, method, path);
  };
  return {
    once: () =>
      Promise.all(
        Array.from({ length: AT_ONCE }, () =>
          one(number % 2 === 0 ? 'GET' : 'POST', `${prefix}/${number++}`),
        ),
      ),
    close: () => session?.destroy(),
  };
}

/** One stream; its outcome. */
function streamed(session: ClientHttp2Session, method: 'GET' | 'POST', path: string): Promise<string> {
  const id = randomUUID();
  const body = method === 'POST' ? `${id} `.repeat(1 + (path.length % 40)) : '';
  return new Promise((resolve) => {
    let stream: ReturnType<ClientHttp2Session['request']>;
    try {
      const fields = { ':authority': 'orders', ':method': method, ':path': path, 'x-request-id': id };
      stream = session.request(fields, { endStream: body === '' });
    } catch (error) {
      resolve(UNSENT.includes(String((error as NodeJS.ErrnoException).code)) ? AGAIN : String(error));
      return;
    }
    let [status, text, code, whole, stood] = [0, '', '', false, !session.connecting];
    if (!stood) session.once('connect', () => (stood = true));
    stream.on('response', (fields) => (status = Number(fields[':status'])));
    stream.setEncoding('latin1').on('data', (piece: string) => (text += piece));
    stream.on('end', () => (whole = !stream.aborted));
    stream.on('error', (error: NodeJS.ErrnoException) => (code = error.code ?? error.message));
    stream.on('close', () => {
      if (!stood || UNSENT.includes(code) || stream.rstCode === constants.NGHTTP2_REFUSED_STREAM)
        resolve(AGAIN);
      else if (status === 0 && method === 'GET') resolve(AGAIN);
      else if (stream.rstCode !== 0 || code !== '' || !whole)
        resolve(`${status === 0 ? 'reset' : 'cut'} ${stream.rstCode} ${code}`);
      else if (status !== 200) resolve(told(status, text));
      else resolve(text === (body || textOf(path)) ? OK : 'another answer');
    });
    if (body !== '') stream.end(body);
  });
}

/** A conversation of which one side's words are given back, and how it came to its end. */
type Talk = {
  say(words: string): void;
  /** Called with all that is heard. */
  heard: (words: string) => void;
  /** Called once at the end, with its outcome. */
  ended: (outcome: string) => void;
  leave(): void;
};

/** Says something and waits for it to come back, over one connection for as long as that lives. */
function talker(begin: () => Talk): Caller {
  let talk: Talk | null = null;
  let [spoken, number] = [false, 0];
  return {
    once: () =>
      new Promise((resolve) => {
        if (talk === null) {
          spoken = false;
          talk = begin();
        }
        const present = talk;
        const words = `${number++} ${'x'.repeat((number * 37) % 3_000)}.`;
        let heard = '';
        present.heard = (piece) => {
          heard += piece;
          if (heard.length < words.length) return;
          spoken = true;
          resolve([heard === words ? OK : 'another answer']);
        };
        present.ended = (outcome) => {
          talk = null;
          resolve([spoken || outcome === PARTED ? outcome : AGAIN]);
        };
        present.say(words);
      }),
    close: () => talk?.leave(),
  };
}

/** One call of gRPC that both sides stream. */
export function grpcCaller(place: Place): Caller {
  const client = new GrpcClient(place.http, {
    'grpc.initial_reconnect_backoff_ms': 20,
    'grpc.max_reconnect_backoff_ms': 100,
  });
  const caller = talker(() => {
    const call = client.talk();
    const talk: Talk = {
      say: (words) => void call.write(Buffer.from(words)),
      heard: () => {},
      ended: () => {},
      leave: () => call.cancel(),
    };
    call.on('data', (piece: Buffer) => talk.heard(piece.toString()));
    call.on('error', () => {});
    call.on('status', ({ code, details }) =>
      talk.ended(details.includes('going away') ? PARTED : `status ${code} ${details}`),
    );
    return talk;
  });
  return {
    once: caller.once,
    close() {
      caller.close();
      client[Symbol.dispose]();
    },
  };
}

/** RFC 6455 §7.4.1: it goes away. */
const GOING_AWAY = 1001;

export function webSocketCaller(place: Place): Caller {
  return talker(() => {
    const socket = new WebSocket(`ws://${place.http}/chat`, { headers: { Host: 'orders' } });
    const waiting: string[] = [];
    const talk: Talk = {
      say: (words) => void (socket.readyState === WebSocket.OPEN ? socket.send(words) : waiting.push(words)),
      heard: () => {},
      ended: () => {},
      leave: () => socket.terminate(),
    };
    socket.on('open', () => {
      for (const words of waiting) socket.send(words);
    });
    socket.on('message', (words) => talk.heard(String(words)));
    socket.on('error', () => {});
    socket.on('close', (code) => talk.ended(code === GOING_AWAY ? PARTED : `closed ${code}`));
    return talk;
  });
}

/** Bare bytes, for which a reset is the only goodbye: no one takes it for a whole stream. */
export function tcpCaller(place: Place): Caller {
  return talker(() => {
    const [host, port] = place.tcp.split(':');
    const socket = connect({ host: String(host), port: Number(port), noDelay: true });
    let reset = false;
    const talk: Talk = {
      say: (words) => void socket.write(words),
      heard: () => {},
      ended: () => {},
      leave: () => socket.destroy(),
    };
    socket.setEncoding('latin1').on('data', (piece: string) => talk.heard(piece));
    socket.on(
      'error',
      ({ code }: NodeJS.ErrnoException) => (reset = code === 'ECONNRESET' || code === 'EPIPE'),
    );
    socket.on('close', () => talk.ended(reset ? PARTED : 'ended'));
    return talk;
  });
}
