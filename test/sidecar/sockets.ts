import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect as connectPlain, createServer, type Server, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { Credentials } from '../../sidecar/identity/credentials.ts';

/** One connection that a raw server accepted, and all that came on it. */
export type Seen = { readonly socket: Socket; received: string; ended: boolean };

/** A server that records bytes and answers what it is told: it has no opinion on HTTP. */
export class RawServer implements AsyncDisposable {
  readonly connections: Seen[] = [];
  /** For a test that wants to see the bytes itself. */
  onConnection: (seen: Seen) => void = () => {};
  port = 0;
  private readonly server: Server;

  /** `answer` is called with every piece that comes. */
  constructor(answer: (seen: Seen) => void) {
    this.server = createServer({ allowHalfOpen: true }, (socket) => {
      const seen: Seen = { socket, received: '', ended: false };
      this.connections.push(seen);
      socket.on('error', () => {});
      socket.on('end', () => {
        seen.ended = true;
        socket.end();
      });
      socket.on('data', (chunk: Buffer) => {
        seen.received += chunk.toString('latin1');
        answer(seen);
      });
      this.onConnection(seen);
    });
  }

  static async start(answer: (seen: Seen) => void): Promise<RawServer> {
    const raw = new RawServer(answer);
    raw.server.listen(0, '127.0.0.1');
    await once(raw.server, 'listening');
    raw.port = (raw.server.address() as AddressInfo).port;
    return raw;
  }

  /** Everything received on all connections. */
  get received(): string {
    return this.connections.map((seen) => seen.received).join('');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.connections) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}

/** A client that says exactly what it is told and keeps all it hears. */
export class RawClient implements Disposable {
  readonly socket: Socket;
  received = '';
  error: NodeJS.ErrnoException | null = null;
  closed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1');
    });
    socket.on('error', (error) => {
      this.error = error;
    });
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      this.closed = true;
    });
  }

  send(text: string): void {
    this.socket.write(Buffer.from(text, 'latin1'));
  }

  /** Waits for what was received to satisfy `wanted`; the answer is all of it. */
  async hears(wanted: string | RegExp | ((text: string) => boolean)): Promise<string> {
    const enough = (text: string) =>
      typeof wanted === 'string'
        ? text.includes(wanted)
        : wanted instanceof RegExp
          ? wanted.test(text)
          : wanted(text);
    await until(
      () => enough(this.received) || this.closed,
      () => `heard only ${JSON.stringify(this.received)}`,
    );
    if (!enough(this.received)) throw new Error(`closed after ${JSON.stringify(this.received)}`);
    return this.received;
  }

  /** Waits for the connection to end; the answer is all that was received. */
  async ends(): Promise<string> {
    await until(
      () => this.closed,
      () => `still open after ${JSON.stringify(this.received)}`,
    );
    return this.received;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

const PATIENCE_MS = 10_000;

/** Polls until `condition` holds. @throws Error with what `otherwise` says when it takes too long */
export async function until(
  condition: () => boolean,
  otherwise: () => string = () => 'waited in vain',
): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(otherwise());
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

/** A connection to a sidecar's inbound side, with the SVID that `credentials` hold and any `options` beside. */
export async function dialTls(
  address: string,
  credentials: Credentials | null,
  options: ConnectionOptions = {},
): Promise<RawClient> {
  const svid = credentials?.current;
  const identity = svid
    ? { key: svid.key.export({ type: 'pkcs8', format: 'pem' }), cert: svid.certChainPem, ca: svid.bundlePem }
    : { rejectUnauthorized: false };
  const socket = connectTls({
    host: '127.0.0.1',
    port: portOf(address),
    allowHalfOpen: true,
    checkServerIdentity: () => undefined,
    ...identity,
    ...options,
  } as unknown as ConnectionOptions);
  const client = new RawClient(socket);
  await Promise.race([once(socket, 'secureConnect'), once(socket, 'close')]).catch(() => {});
  return client;
}

export async function dialPlain(address: string): Promise<RawClient> {
  const socket = connectPlain({ host: '127.0.0.1', port: portOf(address), allowHalfOpen: true });
  await once(socket, 'connect');
  return new RawClient(socket);
}

/** It was reset: by the kernel, or by the record that goes before it where TLS might lose that. */
export function assertReset({ error }: RawClient): void {
  assert.match(error?.code ?? '', /^(?:ECONNRESET|ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC)$/);
}
