// `npm run package`: packages for Debian and its kin, and for those that use RPM, into dist/packages.
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { hasImageParts } from '../../setup/image-parts.mjs';
import { nfpmBinary } from '../../setup/nfpm.mjs';
import { root } from '../../setup/paths.mjs';
import { type Architecture, buildPackages, FORMATS } from './packages.ts';
import type { DebCompression } from './recipe.ts';

const COMPRESSIONS: readonly DebCompression[] = ['xz', 'zstd'];
const ARCHITECTURES: readonly Architecture[] = ['amd64', 'arm64'];

const USAGE = `usage: npm run package -- [--architecture amd64|arm64] [--format deb|rpm] [--version <version>] [--compression xz|zstd] [--out <folder>]
all of them if none is named; the folder, dist/packages if none is named, is emptied first; SOURCE_DATE_EPOCH is the time that all in them
bears, 1970 without it`;

process.exitCode = await main().catch((error: Error) => {
  console.error(`no package was built: ${error.message}`);
  return 1;
});

async function main(): Promise<number> {
  const values = readOptions();
  const architectures = chosen(ARCHITECTURES, values?.architecture);
  const formats = chosen(FORMATS, values?.format);
  const [compression] = chosen(COMPRESSIONS, values?.compression) ?? [];
  const epoch = Number(process.env['SOURCE_DATE_EPOCH'] ?? 0);
  const version = values?.version;
  const sound = version === undefined || /^\d+\.\d+\.\d+(-[0-9a-z.]+)?$/.test(version);
  if (
    !values ||
    !architectures ||
    !formats ||
    !compression ||
    !sound ||
    !Number.isSafeInteger(epoch) ||
    epoch < 0
  ) {
    console.error(USAGE);
    return 2;
  }
  if (!hasImageParts() || !nfpmBinary()) {
    console.error(
      'what packages are made of is not here: run `npm run setup package`, on Debian or its kin, with Go',
    );
    return 1;
  }
  const packages = await buildPackages({
    out: resolve(values.out),
    architectures,
    formats,
    version,
    compression,
    epoch,
  });
  for (const { file, size, sha256 } of packages)
    console.log(`${basename(file)} ${(size / 1e6).toFixed(1)} MB sha256:${sha256}`);
  return 0;
}

function chosen<T extends string>(all: readonly T[], one: string | undefined): readonly T[] | undefined {
  if (one === undefined) return all;
  const found = all.filter((each) => each === one);
  return found.length > 0 ? found : undefined;
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        architecture: { type: 'string' },
        format: { type: 'string' },
        version: { type: 'string' },
        compression: { type: 'string' },
        out: { type: 'string', default: join(root, 'dist/packages') },
      },
    });
    return values;
  } catch {
    return undefined;
  }
}
