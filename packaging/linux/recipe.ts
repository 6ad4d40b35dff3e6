import { join } from 'node:path';
import type { Entry } from '../parts/entry.ts';
import { SETTINGS_FILES } from './contents.ts';

export interface Ingredients {
  readonly entries: readonly Entry[];
  /** The folder in which the files of the entries lie, by their paths. */
  readonly stage: string;
  readonly architecture: string;
  readonly version: string;
  readonly epoch: number;
  readonly manifest: Readonly<Record<string, string>>;
  readonly compression: DebCompression;
}

/** What a .deb is compressed with: `xz`, or `zstd`, which is quicker and asks for dpkg 1.21.18. */
export type DebCompression = 'xz' | 'zstd';

const scripts = join(import.meta.dirname, 'scripts');

/**
 * What nfpm is told, in its own terms: one package for either format. The oldest C library is that which the pinned Node was linked with.
 */
export function recipe(ingredients: Ingredients): object {
  const { entries, stage, architecture, version, epoch, manifest, compression } = ingredients;
  const mtime = new Date(epoch * 1000).toISOString().replace('.000', '');
  return {
    name: 'signet',
    ...{ arch: architecture, platform: 'linux', version, version_schema: 'semver', mtime },
    section: 'net',
    priority: 'optional',
    maintainer: 'The Signet developers <signet@signet.invalid>',
    vendor: 'Signet',
    license: manifest['license'],
    description: `${manifest['description']}\nSidecar, broker and command line, with the Node.js that runs them.`,
    contents: entries.map((entry) => content(entry, stage, mtime)),
    scripts: {
      postinstall: join(scripts, 'postinstall.sh'),
      preremove: join(scripts, 'preremove.sh'),
      postremove: join(scripts, 'postremove.sh'),
    },
    deb: { compression },
    rpm: { compression: 'zstd:19', group: 'System Environment/Daemons', buildhost: 'signet' },
    overrides: {
      deb: {
        depends: ['libc6 (>= 2.28)', 'libstdc++6 (>= 5.1)', 'libatomic1', 'systemd (>= 247)', 'passwd'],
        recommends: ['nftables'],
      },
      rpm: {
        depends: ['glibc >= 2.28', 'libstdc++ >= 5.1', 'libatomic', 'systemd >= 247', 'shadow-utils'],
        recommends: ['nftables'],
      },
    },
  };
}

function content(entry: Entry, stage: string, mtime: string): object {
  const dst = `/${entry.path}`;
  const info = { owner: 'root', group: 'root', mtime };
  if (entry.kind === 'link')
    return { src: entry.target, dst, type: 'symlink', file_info: { ...info, mode: 0o777 } };
  if (entry.kind === 'folder') return { dst, type: 'dir', file_info: { ...info, mode: entry.mode ?? 0o755 } };
  const kept = SETTINGS_FILES.some((path) => path === entry.path);
  return {
    ...{ src: join(stage, entry.path), dst, ...(kept ? { type: 'config|noreplace' } : {}) },
    file_info: { ...info, mode: entry.mode ?? 0o644 },
  };
}
