import { constants, open } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import type { TpmPlace } from '../../config/values.ts';
import { AcquireError } from '../acquire-error.ts';

/** One command at a time, each answered. */
export interface TpmChannel extends AsyncDisposable {
  /** @throws AcquireError `EVIDENCE_UNAVAILABLE` */
  exchange(command: Uint8Array): Promise<Buffer>;
}

const HEADER_BYTES = 10;
const MAX_RESPONSE_BYTES = 4096;
/** A real TPM takes seconds to make an RSA key. */
const ANSWER_MS = 20_000;

export async function openChannel(place: TpmPlace): Promise<TpmChannel> {
  return 'device' in place ? await openDevice(place.device) : await openSocket(place);
}

/**
 * The kernel's device takes a command in one write; of a response it keeps what one read did not take. Should the
 * path name a terminal, it must not become that of a sidecar who leads its session: its end would be a SIGHUP.
 */
async function openDevice(path: string): Promise<TpmChannel> {
  const file = await open(path, constants.O_RDWR | constants.O_NOCTTY).catch((error: unknown) => {
    throw unavailable(`the TPM ${path} cannot be opened`, error);
  });
  return {
    async exchange(command) {
      try {
        await file.write(command);
        let received = Buffer.alloc(0);
        while (!isWhole(received)) {
          const { bytesRead, buffer } = await file.read(
            Buffer.alloc(MAX_RESPONSE_BYTES),
            0,
            MAX_RESPONSE_BYTES,
            null,
          );
          received = Buffer.concat([received, buffer.subarray(0, bytesRead)]);
          if (bytesRead === 0 || received.length > MAX_RESPONSE_BYTES) break;
        }
        return received;
      } catch (error) {
        throw unavailable(`the TPM ${path} does not answer`, error);
      }
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

async function openSocket(place: Exclude<TpmPlace, { device: string }>): Promise<TpmChannel> {
  const where = 'socket' in place ? place.socket : `${place.host}:${place.port}`;
  const socket = await connected(place, where);
  let received = Buffer.alloc(0);
  let failure: unknown;
  let wake = () => {};
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    if (received.length > MAX_RESPONSE_BYTES) socket.destroy(new Error('more than a response'));
    wake();
  });
  socket.on('error', (error) => {
    failure ??= error;
  });
  socket.on('close', () => {
    failure ??= new Error('the connection ended');
    wake();
  });
  return {
    async exchange(command) {
      received = Buffer.alloc(0);
      const { promise: late, reject } = Promise.withResolvers<never>();
      const timer = setTimeout(
        () => reject(unavailable(`the TPM at ${where} does not answer`, { code: 'TIMEOUT' })),
        ANSWER_MS,
      );
      try {
        socket.write(command);
        while (!isWhole(received)) {
          if (failure !== undefined) throw unavailable(`the TPM at ${where} does not answer`, failure);
          const { promise, resolve } = Promise.withResolvers<void>();
          wake = resolve;
          await Promise.race([promise, late]);
        }
        return received;
      } finally {
        clearTimeout(timer);
      }
    },
    async [Symbol.asyncDispose]() {
      socket.destroy();
    },
  };
}

function isWhole(received: Buffer): boolean {
  return received.length >= HEADER_BYTES && received.length >= received.readUInt32BE(2);
}

function connected(place: Exclude<TpmPlace, { device: string }>, where: string): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = 'socket' in place ? connect(place.socket) : connect(place.port, place.host);
  socket.setTimeout(ANSWER_MS, () =>
    socket.destroy(Object.assign(new Error('silence'), { code: 'TIMEOUT' })),
  );
  socket.once('connect', () => resolve(socket));
  socket.once('error', (error) => reject(unavailable(`the TPM at ${where} cannot be reached`, error)));
  return promise;
}

function unavailable(message: string, error: unknown): AcquireError {
  const reason = String((error as NodeJS.ErrnoException).code ?? 'TPM_SILENT');
  return new AcquireError('EVIDENCE_UNAVAILABLE', message, { reason });
}
