import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * This machine's own files with whatever is written over them in memory: what runs within finds a Debian with its dpkg and systemctl, and
 * changes nothing of it. Needs root. systemctl enables and disables there, and starts nothing.
 */
export interface Overlay extends AsyncDisposable {
  /** To be put in front of a command that is to run within. */
  readonly within: readonly string[];
  /** Where a file is that was written within. */
  path(file: string): string;
  /** The files that were written within and are there still, whose path fits. */
  written(fits: RegExp): Promise<string[]>;
}

const ENTER = `set -e
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/merged"
for folder in proc sys dev; do mount --rbind "/$folder" "$1/merged/$folder"; done
folder=$1 cwd=$PWD
shift
SYSTEMD_OFFLINE=1 exec chroot "$folder/merged" sh -c 'cd "$0" && exec "$@"' "$cwd" "$@"`;

export async function openOverlay(): Promise<Overlay> {
  // an overlay cannot lie on another, as which this machine's disk may come
  const dir = await mkdtemp('/dev/shm/signet-overlay-');
  for (const name of ['upper', 'work', 'merged']) await mkdir(join(dir, name));
  const upper = join(dir, 'upper');
  return {
    within: ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', ENTER, 'sh', dir],
    path: (file) => join(upper, file),
    async written(fits) {
      const all = await readdir(upper, { recursive: true, withFileTypes: true });
      return all
        .filter((each) => !each.isCharacterDevice())
        .map((each) => join(each.parentPath, each.name).slice(upper.length))
        .filter((path) => fits.test(path))
        .sort();
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}
