import { once } from 'node:events';
import { createServer } from 'node:net';
import { sleep } from '../../lib/adapter/lifecycle.ts';
import type { Log } from '../../lib/adapter/log.ts';
import { formatAddress, type Listen } from '../address.ts';

/** As long as workers may drain whose supervisor is gone. */
const PATIENCE_MS = 30_000;
const AGAIN_MS = 250;

/**
 * Waits until nobody listens on any of these. A port that is shared could otherwise be shared with another sidecar of the same user, and
 * calls go out with the identity of either. Call before the first worker starts.
 * @throws the system's error when one is still taken after `ms`, or cannot be had at all
 */
export async function untilFree(
  addresses: readonly Listen[],
  { log, stop, ms = PATIENCE_MS }: { readonly log: Log; readonly stop: AbortSignal; readonly ms?: number },
): Promise<void> {
  const deadline = performance.now() + ms;
  for (const address of addresses) {
    let told = false;
    for (let error = await taken(address); error !== null && !stop.aborted; error = await taken(address)) {
      if (error.code !== 'EADDRINUSE' || performance.now() >= deadline) throw error;
      if (!told) log.warn('port_taken', { address: formatAddress(address) });
      told = true;
      await sleep(AGAIN_MS, stop);
    }
  }
}

/** Why it cannot be had for oneself alone, null when it can. */
async function taken({ host, port }: Listen): Promise<NodeJS.ErrnoException | null> {
  const server = createServer().listen({ host, port });
  try {
    await once(server, 'listening');
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  server.close();
  await once(server, 'close');
  return null;
}
