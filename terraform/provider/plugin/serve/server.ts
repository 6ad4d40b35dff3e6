import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { codeOf } from '../diagnostic-message.ts';
import type { Handler, Message } from '../service/index.ts';
import type { OwnCertificate } from './certificate.ts';
import { sideServices } from './go-plugin.ts';
import { providerService } from './protocol.ts';

/** A state with tens of thousands of elements is a few megabytes; more than this is a fault. */
const LARGEST_MESSAGE = 256 * 1024 * 1024;
/** Bytes that every system takes as the path of a socket. */
const LONGEST_PATH = 103;

export interface ServerOptions {
  readonly handlers: { readonly [rpc: string]: Handler };
  readonly certificate: OwnCertificate;
  /** The one certificate whose holder is served (PEM). */
  readonly clientCertificate: string;
  /** Where the socket's own folder is made. */
  readonly folder: string | undefined;
  readonly shutdown: () => void;
}

export interface RunningServer {
  readonly network: 'unix' | 'tcp';
  /** The path of a socket, or host and port. */
  readonly address: string;
  /** Lets what is under way end, for so many ms. */
  close(patience: number): Promise<void>;
}

/** Serves the provider on a socket in a folder that only this user may enter; where its path would be too long, on a port of the loopback. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const server = new Server({
    'grpc.max_receive_message_length': LARGEST_MESSAGE,
    'grpc.max_send_message_length': LARGEST_MESSAGE,
  });
  const service = providerService();
  server.addService(service, implement(options.handlers));
  for (const { definition, implementation } of sideServices(options.shutdown))
    server.addService(definition, implementation);
  const { key, pem } = options.certificate;
  const credentials = ServerCredentials.createSsl(
    Buffer.from(options.clientCertificate),
    [{ private_key: Buffer.from(key), cert_chain: Buffer.from(pem) }],
    true,
  );
  const socket = makeSocket(options.folder ?? tmpdir());
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(socket ? `unix:${socket}` : '127.0.0.1:0', credentials, (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return {
    network: socket ? 'unix' : 'tcp',
    address: socket ?? `127.0.0.1:${port}`,
    close: (patience) =>
      new Promise((resolve) => {
        const late = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, patience);
        server.tryShutdown(() => {
          clearTimeout(late);
          resolve();
        });
      }),
  };
}

function implement(handlers: { readonly [rpc: string]: Handler }): UntypedServiceImplementation {
  return Object.fromEntries(
    Object.entries(handlers).map(([rpc, handler]) => [
      rpc,
      (call: ServerUnaryCall<Message, object>, answer: sendUnaryData<object>) => {
        const given = new AbortController();
        call.on('cancelled', () => given.abort(new DOMException('given up', 'AbortError')));
        handler(call.request, given.signal).then(
          (response) => answer(null, response),
          // Handlers tell what is wrong in their answers; this is a fault of ours.
          (error) => answer({ code: status.INTERNAL, details: `${rpc} failed (${codeOf(error)})` }),
        );
      },
    ]),
  );
}

function makeSocket(parent: string): string | undefined {
  const name = join(parent, 'signet-provider-XXXXXX/plugin.sock');
  if (Buffer.byteLength(name) > LONGEST_PATH) return undefined;
  const folder = mkdtempSync(join(parent, 'signet-provider-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'plugin.sock');
}
