import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isExecutable, say } from './commands.mjs';
import { hasDebian, unpackDebian } from './debian.mjs';
import { cache } from './paths.mjs';

const root = join(cache, 'containers', 'root');

/** What runs a node's pods, in Debian's packages unpacked: containerd with its shim, runc, the CNI plugins, and busybox for images. */
const programs = {
  containerd: join(root, 'usr', 'bin', 'containerd'),
  ctr: join(root, 'usr', 'bin', 'ctr'),
  runc: join(root, 'usr', 'sbin', 'runc'),
  bridge: join(root, 'usr', 'lib', 'cni', 'bridge'),
  busybox: join(root, 'bin', 'busybox'),
};

/** Their paths; undefined where they are not unpacked. */
export function containerPrograms() {
  return Object.values(programs).every(isExecutable) ? programs : undefined;
}

/**
 * Unpacks them. Where there is no apt that is said, and the tests with real pods are skipped. Call with the set-up lock held.
 * @param {AbortSignal} signal
 */
export async function provideContainers(signal) {
  if (!hasDebian())
    return say(
      'containerd, runc and the CNI plugins come by apt-get, which is not on PATH: the tests with real pods are skipped',
    );
  await unpackDebian({
    names: ['busybox-static', 'containerd', 'containernetworking-plugins', 'runc'],
    what: 'containerd, runc, CNI plugins and busybox',
    beside: join(cache, 'containers'),
    keep: (folder) => {
      rmSync(root, { recursive: true, force: true });
      renameSync(folder, root);
    },
    signal,
  });
}
