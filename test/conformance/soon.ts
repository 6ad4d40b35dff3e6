import { setImmediate } from 'node:timers/promises';

const PATIENCE_MS = 10_000;

/** Waits without a pause for what is about to happen. @throws Error with what `otherwise` says when it takes too long */
export async function soon(
  condition: () => boolean,
  otherwise: () => string = () => 'waited in vain',
): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(otherwise());
    await setImmediate();
  }
}
