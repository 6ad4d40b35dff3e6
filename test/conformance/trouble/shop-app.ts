import { once } from 'node:events';
import {
  createServer as createHttp1,
  type Server as Http1Server,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import {
  createServer as createHttp2,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { WebSocketServer } from 'ws';

/** How long what is asked under `/slow/` takes. */
const SLOW_MS = 150;
const MOST_BYTES = 20_000;

/** What the app answers to a GET of this path. */
export function textOf(path: string): string {
  const words = `${path} `;
  const number = Number(/\d+$/.exec(path)?.[0] ?? 1);
  return words.repeat(1 + Math.floor(((number * 7_919) % MOST_BYTES) / words.length));
}

/**
 * An app that speaks all that a sidecar carries: HTTP/1.1, HTTP/2, gRPC and WebSockets on one port, bare bytes on another. A POST, a
 * call, a WebSocket and the bytes are given back what they bring.
 */
export class ShopApp implements AsyncDisposable {
  /** How often each POST came, by `x-request-id`. */
  readonly posts = new Map<string, number>();
  private readonly http1: Http1Server;
  private readonly http2: Http2Server;
  private readonly sockets = new Set<Socket>();
  private readonly webSockets = new WebSocketServer({ noServer: true });
  private readonly front: Server;
  private readonly bytes: Server;

  private constructor() {
    this.http1 = createHttp1(
      { keepAliveTimeout: 0 },
      (request, response) => void this.serve(request, response),
    );
    this.http1.on('upgrade', (request, socket, head) =>
      this.webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on('error', () => {});
        webSocket.on('message', (message, binary) => webSocket.send(message, { binary }));
      }),
    );
    this.http2 = createHttp2();
    this.http2.on('sessionError', () => {});
    this.http2.on('stream', (stream, fields) => void this.answer(stream as ServerHttp2Stream, fields));
    this.front = createServer({ noDelay: true }, (socket) => this.accept(socket));
    this.bytes = createServer({ noDelay: true }, (socket) => {
      this.keep(socket);
      socket.pipe(socket);
    });
  }

  static async start(): Promise<ShopApp> {
    const app = new ShopApp();
    for (const server of [app.front, app.bytes]) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    return app;
  }

  get port(): number {
    return (this.front.address() as AddressInfo).port;
  }

  get tcpPort(): number {
    return (this.bytes.address() as AddressInfo).port;
  }

  /** POSTs that came more than once. */
  get repeated(): string[] {
    return [...this.posts].filter(([, times]) => times > 1).map(([id]) => id);
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.sockets.delete(socket));
  }

  private accept(socket: Socket): void {
    this.keep(socket);
    socket.once('data', (first: Buffer) => {
      socket.pause();
      socket.unshift(first);
      if (first.toString('latin1', 0, 3) === 'PRI') this.http2.emit('connection', socket);
      else {
        this.http1.emit('connection', socket);
        socket.resume();
      }
    });
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '' } = request;
    const body = await buffer(request).catch(() => null);
    if (body === null) return;
    if (method === 'POST') this.note(request.headers);
    if (url.startsWith('/slow/')) await wait(SLOW_MS);
    const answer = method === 'POST' ? body : Buffer.from(textOf(url));
    // every other one in chunks
    if (answer.length % 2 === 0) response.write(answer.subarray(0, answer.length / 2));
    response.end(answer.length % 2 === 0 ? answer.subarray(answer.length / 2) : answer);
  }

  private async answer(stream: ServerHttp2Stream, fields: IncomingHttpHeaders): Promise<void> {
    stream.on('error', () => {});
    if (fields['content-type'] === 'application/grpc') {
      stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.pipe(stream);
      return;
    }
    const path = String(fields[':path']);
    const pieces: Buffer[] = [];
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    // not as an iterable: that would end the answer with the request
    await once(stream, 'end').catch(() => {});
    const body = Buffer.concat(pieces);
    const isPost = fields[':method'] === 'POST';
    if (isPost) this.note(fields);
    if (path.startsWith('/slow/')) await wait(SLOW_MS);
    if (stream.closed || stream.destroyed) return;
    stream.respond({ ':status': 200 });
    stream.end(isPost ? body : textOf(path));
  }

  private note(fields: IncomingHttpHeaders): void {
    const id = String(fields['x-request-id']);
    this.posts.set(id, (this.posts.get(id) ?? 0) + 1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    for (const server of [this.front, this.bytes]) {
      server.close();
      await once(server, 'close');
    }
    this.webSockets.close();
    this.http2.close();
    this.http1.close();
  }
}
