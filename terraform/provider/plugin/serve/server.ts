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
  readonly socket: string;
  /** Lets what is under way end, for so many ms. */
  close(patience: number): Promise<void>;
}

/** Serves the provider on a socket in a folder that only this user may enter. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const server = new Server({
    'grpc.max_receive_message_length': LARGEST_MESSAGE,
    'grpc.max_send_message_length': LARGEST_MESSAGE,
  });
  const service = providerService();
  server.addService(service, implement(options.handlers));
  for (const { definition, implementation } of sideServices(options.shutdown))
    server.addService(definition, implementation);
  const folder = mkdtempSync(join(options.folder ?? tmpdir(), 'signet-provider-'));
  const socket = join(folder, 'plugin.sock');
  const { key, pem } = options.certificate;
  const credentials = ServerCredentials.createSsl(
    Buffer.from(options.clientCertificate),
    [{ private_key: Buffer.from(key), cert_chain: Buffer.from(pem) }],
    true,
  );
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.on('exit', remove);
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${socket}`, credentials, (error) => (error ? reject(error) : resolve())),
  );
  return {
    socket,
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
