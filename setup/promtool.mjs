import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { isExecutable, say, which } from './commands.mjs';
import { hasDebian, unpackDebian } from './debian.mjs';
import { cache } from './paths.mjs';

const built = join(cache, 'promtool', 'promtool');

/** Prometheus's own check of metrics: the one on PATH, or the one that was taken out of Debian's package. */
export function promtoolBinary() {
  return which('promtool') ?? (isExecutable(built) ? built : undefined);
}

/**
 * Takes promtool out of Debian's package, which is not installed: that would start a Prometheus. Where there is no apt that is said, and the
 * test that needs it is skipped. Call with the set-up lock held.
 * @param {AbortSignal} signal
 */
export async function providePromtool(signal) {
  if (!hasDebian()) return say('promtool is not on PATH: the test with it is skipped; install Prometheus');
  await unpackDebian({
    names: ['prometheus'],
    what: 'promtool',
    beside: join(cache, 'promtool'),
    keep: (folder) => renameSync(join(folder, 'usr', 'bin', 'promtool'), built),
    signal,
  });
}
