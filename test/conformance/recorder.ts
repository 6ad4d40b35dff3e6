import { once } from 'node:events';
import { type AddressInfo, createServer as createPlain, type Server, type Socket } from 'node:net';
import { createServer as createTls } from 'node:tls';
import type { Credentials } from '../../sidecar/identity/credentials.ts';
import { tlsContext } from '../../sidecar/tls-context.ts';
import { type Message, readRequests } from './messages.ts';

/** One connection that the recorder accepted. */
export type Line = { readonly socket: Socket; rest: string; closed: boolean };

/** A backend that keeps each whole request, byte for byte, in the order in which they became whole, and says in its answer which it was. */
export class Recorder implements AsyncDisposable {
  readonly requests: Message[] = [];
  readonly lines: Line[] = [];
  port = 0;
  /** Answers a request, of which `start` is the first line. */
  answer: (start: string, socket: Socket) => void = served;
  /** Answers before the body has come. */
  early = false;
  private readonly server: Server;

  private constructor(credentials: Credentials | null) {
    const accept = (socket: Socket) => this.accept(socket);
    const svid = credentials?.current ?? null;
    this.server =
      svid === null
        ? createPlain({ noDelay: true }, accept)
        : createTls(
            { ...tlsContext(svid), requestCert: true, ALPNProtocols: ['http/1.1'], noDelay: true },
            accept,
          );
  }

  /** With credentials it speaks mTLS. */
  static async start(credentials: Credentials | null = null): Promise<Recorder> {
    const recorder = new Recorder(credentials);
    recorder.server.listen(0, '127.0.0.1');
    await once(recorder.server, 'listening');
    recorder.port = (recorder.server.address() as AddressInfo).port;
    return recorder;
  }

  /** Lines on which part of a request stands. */
  get unfinished(): readonly Line[] {
    return this.lines.filter(({ rest }) => rest !== '');
  }

  private accept(socket: Socket): void {
    const line: Line = { socket, rest: '', closed: false };
    this.lines.push(line);
    let early = false;
    socket.on('error', () => {});
    socket.on('close', () => {
      line.closed = true;
    });
    socket.on('data', (chunk: Buffer) => {
      const { messages, rest } = readRequests(line.rest + chunk.toString('latin1'));
      line.rest = rest;
      this.requests.push(...messages);
      for (const { start } of messages) if (!early) this.answer(start, socket);
      if (this.early && rest.includes('\r\n\r\n') && !early) {
        early = true;
        this.answer(rest.slice(0, rest.indexOf('\r\n')), socket);
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.lines) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}

/** The answer to the request that begins so: it names the request. */
export function servedResponse(start: string): string {
  const [method = '', target = ''] = start.split(' ');
  const body = method === 'HEAD' ? '' : 'ok';
  return `HTTP/1.1 200 OK\r\nx-served: ${method} ${target}\r\ncontent-length: 2\r\n\r\n${body}`;
}

function served(start: string, socket: Socket): void {
  socket.write(Buffer.from(servedResponse(start), 'latin1'));
}
