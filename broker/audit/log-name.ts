import { createHash } from 'node:crypto';
import type { SpiffeId } from '../../lib/spiffe/index.ts';

const LONGEST_NAME = 200;

/** The folder of one workload's logs: no two IDs have the same (none begins with two slashes, so none with `+`), and none has a part that a path could be led astray by. */
export function folderOf(id: SpiffeId): string {
  const name = id.path.slice(1).replaceAll('/', '+');
  return name.length <= LONGEST_NAME ? name : `+sha256+${createHash('sha256').update(name).digest('hex')}`;
}
