import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cache, modules, root } from './paths.mjs';

/**
 * Lets the services load all their modules once, so that the first start from sources need not drop the types from each of them;
 * what is shipped is compiled. A cache that cannot be filled costs time, not function.
 */
export async function fillCompileCache() {
  if (existsSync(join(cache, 'node'))) return;
  const node = join(modules, '.bin/node');
  const services = ['sidecar', 'broker'].map(
    (name) =>
      new Promise((resolve) => {
        const child = spawn(node, [join(root, 'bin/signet.mjs'), name, '--help'], { stdio: 'ignore' });
        child.on('error', resolve);
        child.on('close', resolve);
      }),
  );
  await Promise.all(services);
}
