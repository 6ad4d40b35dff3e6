import { openSystemCalls } from '../lib/adapter/ffi.ts';

/** What compiling and closed connections leave behind is given back so often. It takes a few milliseconds at most. */
const RELEASE_EVERY_MS = 60_000;

/**
 * Collects what starting and warming up left over, once, and gives freed memory back to the system now and then: the C library keeps it
 * otherwise, up to the most that was ever in use.
 */
export async function settleMemory(): Promise<Disposable> {
  const calls = await openSystemCalls();
  const release = () => calls?.releaseMemory?.();
  // there only if Node was started with a flag for it, as the launcher does
  globalThis.gc?.();
  // memory outside the heap is freed beside the first one, and is free for certain once the second has begun
  globalThis.gc?.();
  release();
  const timer = setInterval(release, RELEASE_EVERY_MS);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
