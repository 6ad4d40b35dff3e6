import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { isExecutable, say, which } from './commands.mjs';
import { hasDebian, unpackDebian } from './debian.mjs';
import { cache } from './paths.mjs';

const NAME = 'qemu-aarch64-static';
const taken = join(cache, 'qemu', NAME);

/** What runs a program for arm64 on another machine: the one on PATH, or the one that was taken out of Debian's package. */
export function qemuBinary() {
  return which(NAME) ?? (isExecutable(taken) ? taken : undefined);
}

/**
 * Takes QEMU out of Debian's package, which is not installed: that would have the kernel run every such program. Call with the set-up lock held.
 * @param {AbortSignal} signal
 */
export async function provideQemu(signal) {
  if (!hasDebian()) return say(`${NAME} is not on PATH: the image for arm64 is not tried`);
  await unpackDebian({
    names: ['qemu-user-static'],
    what: 'QEMU',
    beside: join(cache, 'qemu'),
    keep: (folder) => renameSync(join(folder, 'usr', 'bin', NAME), taken),
    signal,
  });
}
