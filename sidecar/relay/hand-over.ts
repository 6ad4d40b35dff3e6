import type { Server } from 'node:net';
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import { openSystemCalls } from '../../lib/adapter/ffi.ts';
import { isLoopback } from '../address.ts';

/** TCP's handshake takes one round trip; on loopback there is none to wait for. */
const ROUND_TRIP_MS = 100;
const LOOPBACK_MS = 5;
/** In so many turns of the event loop nothing came: the queue is empty. */
const QUIET_TURNS = 3;
/** A machine so busy that it is never quiet. */
const MOST_TURNS = 1_000;

/**
 * Stops listening on ports that are shared with other processes, to which all goes from now on. The kernel resets what waits in the queue of
 * a socket that is closed: so these sockets first begin no more connections, and all that were begun are accepted. Where the kernel cannot be
 * told, one that comes in the last moment is reset.
 */
export async function handOver(servers: readonly Server[]): Promise<void> {
  let accepted = 0;
  let ms = LOOPBACK_MS;
  const calls = await openSystemCalls();
  for (const server of servers) {
    server.on('connection', () => accepted++);
    const fd = fdOf(server);
    if (fd !== undefined) calls?.beginNoMore(fd);
    if (!isLocal(server)) ms = ROUND_TRIP_MS;
  }
  await wait(ms);
  let quiet = 0;
  for (let turns = 0; quiet < QUIET_TURNS && turns < MOST_TURNS; turns++) {
    const before = accepted;
    await turn();
    quiet = accepted === before ? quiet + 1 : 0;
  }
}

function isLocal(server: Server): boolean {
  const bound = server.address();
  return bound !== null && typeof bound === 'object' && isLoopback(bound.address);
}

/** Node tells it of no server; it is where it was in every version so far. */
function fdOf(server: Server): number | undefined {
  return (server as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd;
}
