import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export const MIB = 1_048_576;
const BLOCK = randomBytes(256 * 1024);
const BLOCKS = 800;
/** What `pour` writes. */
export const POURED = BLOCK.length * BLOCKS;
/** What 200 MiB on their way may hold: the buffers of the sockets between. */
export const ROOM = 16 * MIB;

const want = createHash('sha256');
for (let i = 0; i < BLOCKS; i++) want.update(BLOCK);
export const DIGEST = want.digest('hex');

/** The most that buffers and heap held while `run` ran, garbage not counted. */
export async function peak(run: () => Promise<void>): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const used = () => {
    // buffers are freed beside the first collection, and are free for certain once the second has begun
    collect();
    collect();
    return process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;
  };
  const before = used();
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(most, used() - before);
  }, 250);
  try {
    await run();
  } finally {
    clearInterval(timer);
  }
  return most;
}

/** Writes all blocks, waiting whenever the other side does. */
export async function pour(socket: {
  write(data: Buffer): boolean;
  once(event: 'drain', then: () => void): unknown;
}): Promise<void> {
  for (let i = 0; i < BLOCKS; i++) {
    if (!socket.write(BLOCK)) await new Promise<void>((resolve) => socket.once('drain', resolve));
  }
}

/** Reads what comes, slowly at first. */
export function slowly(socket: Socket): { bytes: number; readonly digest: () => string } {
  const hash = createHash('sha256');
  const read = { bytes: 0, digest: () => hash.digest('hex') };
  socket.removeAllListeners('data');
  socket.pause();
  socket.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    read.bytes += chunk.length;
  });
  setTimeout(() => socket.resume(), 300);
  return read;
}
