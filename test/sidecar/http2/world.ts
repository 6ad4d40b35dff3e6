import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Credentials } from '../../../sidecar/identity/credentials.ts';
import { FramePeer, PREFACE, settings } from '../../support/http2-frames.ts';
import { type World, type WorldOptions, world } from '../inbound/world.ts';
import { dialPlain, dialTls, portOf, until } from '../sockets.ts';

/** What came of one request. */
export type Answer = {
  readonly status: number;
  readonly fields: IncomingHttpHeaders;
  readonly body: string;
  readonly trailers: IncomingHttpHeaders | null;
  readonly interim: readonly number[];
  /** Of RST_STREAM; 0 for a stream that ended as it should. */
  readonly code: number;
};

/** An HTTP/2 connection to a sidecar's inbound side, with the SVID that `credentials` hold. */
export async function openSession(address: string, credentials: Credentials): Promise<ClientHttp2Session> {
  const svid = credentials.current!;
  const socket = connectTls({
    host: '127.0.0.1',
    port: portOf(address),
    key: svid.key.export({ type: 'pkcs8', format: 'pem' }),
    cert: svid.certChainPem,
    ca: svid.bundlePem,
    checkServerIdentity: () => undefined,
    ALPNProtocols: ['h2'],
  });
  await once(socket, 'secureConnect');
  return started(connect('https://orders', { createConnection: () => socket }));
}

/** One to the outbound side, as an app makes it: plain, with prior knowledge. */
export function openPlain(address: string): Promise<ClientHttp2Session> {
  return started(connect(`http://${address}`));
}

async function started(session: ClientHttp2Session): Promise<ClientHttp2Session> {
  session.on('error', () => {});
  await once(session, 'remoteSettings');
  return session;
}

/** Asks and waits for the end, whatever it is. A body that is not given ends with the head. */
export function ask(
  session: ClientHttp2Session,
  fields: OutgoingHttpHeaders,
  body?: string | Buffer,
  trailers?: OutgoingHttpHeaders,
): Promise<Answer> {
  const stream = session.request(
    { ':authority': 'orders', ...fields },
    { endStream: body === undefined, waitForTrailers: trailers !== undefined },
  );
  if (trailers !== undefined) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  if (body !== undefined) stream.end(body);
  return answerTo(stream);
}

export async function answerTo(stream: ClientHttp2Stream): Promise<Answer> {
  let fields: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders | null = null;
  const interim: number[] = [];
  const pieces: Buffer[] = [];
  stream.on('headers', (head) => interim.push(Number(head[':status'])));
  stream.on('response', (head) => {
    fields = head;
  });
  stream.on('trailers', (tail) => {
    trailers = tail;
  });
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  stream.on('error', () => {});
  await new Promise((resolve) => stream.on('close', resolve));
  return {
    status: Number(fields[':status'] ?? 0),
    fields,
    body: Buffer.concat(pieces).toString('latin1'),
    trailers,
    interim,
    code: stream.rstCode ?? 0,
  };
}

/** A connection on which a test speaks frames. */
export async function dialFrames(address: string, credentials: Credentials | null): Promise<FramePeer> {
  const { socket } =
    credentials === null
      ? await dialPlain(address)
      : await dialTls(address, credentials, { ALPNProtocols: ['h2'] });
  const peer = new FramePeer(socket);
  peer.send(PREFACE, settings());
  return peer;
}

export type Handler = (
  stream: ServerHttp2Stream,
  fields: IncomingHttpHeaders,
  raw: readonly string[],
) => void;

/** An app that speaks HTTP/2 without TLS, and keeps what it was asked. */
export class Http2App implements AsyncDisposable {
  readonly requests: { readonly fields: IncomingHttpHeaders; readonly raw: readonly string[] }[] = [];
  readonly sessions: ServerHttp2Session[] = [];
  port = 0;
  private readonly server: Http2Server;

  constructor(handler: Handler, options: ServerOptions) {
    this.server = createServer(options);
    this.server.on('session', (session) => {
      this.sessions.push(session);
      session.on('error', () => {});
    });
    this.server.on('stream', (stream, fields, _flags, raw: string[]) => {
      stream.on('error', () => {});
      this.requests.push({ fields, raw });
      handler(stream as ServerHttp2Stream, fields, raw);
    });
  }

  static async start(handler: Handler = echo, options: ServerOptions = {}): Promise<Http2App> {
    const app = new Http2App(handler, options);
    app.server.listen(0, '127.0.0.1');
    await once(app.server, 'listening');
    app.port = (app.server.address() as AddressInfo).port;
    return app;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.sessions) session.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}

/** Answers with the body it was sent, and its trailers. */
export function echo(stream: ServerHttp2Stream): void {
  let trailers: IncomingHttpHeaders = {};
  stream.on('trailers', (tail) => {
    trailers = tail;
  });
  stream.on('wantTrailers', () => stream.sendTrailers({ ...trailers }));
  stream.respond({ ':status': 200, 'content-type': 'text/plain' }, { waitForTrailers: true });
  stream.on('data', (piece) => {
    if (!stream.write(piece)) stream.pause();
  });
  stream.on('drain', () => stream.resume());
  stream.on('end', () => stream.end());
}

/** ORDERS' inbound proxy in front of an app that speaks HTTP/2. */
export type Http2World = World & { readonly h2app: Http2App; session(): Promise<ClientHttp2Session> };

export async function h2cWorld(
  handler?: Handler,
  options: Omit<WorldOptions, 'app'> = {},
  appOptions: ServerOptions = {},
): Promise<Http2World> {
  const h2app = await Http2App.start(handler, appOptions);
  const w = await world({ ...options, app: { host: '127.0.0.1', port: h2app.port, h2c: true } });
  return {
    ...w,
    h2app,
    session: () => openSession(w.inbound.address, w.web),
    async [Symbol.asyncDispose]() {
      await w[Symbol.asyncDispose]();
      await h2app[Symbol.asyncDispose]();
    },
  };
}

/** Waits until a stream has been reset or the connection has ended. */
export async function untilOver(peer: FramePeer, stream: number): Promise<void> {
  await until(
    () =>
      peer.closed ||
      peer.isWhole(stream) ||
      peer.resetOf(stream) !== undefined ||
      peer.farewell !== undefined,
    () => `heard ${JSON.stringify(peer.frames.map(({ type, stream: id }) => [type, id]))}`,
  );
}
