import { join } from 'node:path';
import { isExecutable, say, which, withProgress } from './commands.mjs';
import { takeFromPackage } from './debian-package.mjs';
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
  if (!which('apt-get') || !which('dpkg-deb'))
    return say(`${NAME} is not on PATH: the image for arm64 is not tried`);
  await withProgress('fetching QEMU with apt-get', 'under a minute', () =>
    takeFromPackage('qemu-user-static', `usr/bin/${NAME}`, taken, signal),
  );
}
