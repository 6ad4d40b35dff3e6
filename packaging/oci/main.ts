// `npm run image`: the container image, into dist/image.
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { hasImageParts } from '../../setup/image-parts.mjs';
import { root } from '../../setup/paths.mjs';
import { buildImage } from './image.ts';
import type { Compression } from './layout.ts';

const COMPRESSIONS: readonly string[] = ['zstd', 'gzip'] satisfies readonly Compression[];

const USAGE = `usage: npm run image -- [--name <image name>] [--revision <commit>] [--compression zstd|gzip] [--out <folder>]
the folder, dist/image if none is named, is emptied first; SOURCE_DATE_EPOCH is the time that the image bears, 1970 without it`;

process.exitCode = await main().catch((error: Error) => {
  console.error(`the image was not built: ${error.message}`);
  return 1;
});

async function main(): Promise<number> {
  const values = readOptions();
  const epoch = Number(process.env['SOURCE_DATE_EPOCH'] ?? 0);
  if (!values || !COMPRESSIONS.includes(values.compression) || !Number.isSafeInteger(epoch) || epoch < 0) {
    console.error(USAGE);
    return 2;
  }
  if (!hasImageParts()) {
    console.error('what the image is made of is not here: run `npm run setup image`, on Debian or its kin');
    return 1;
  }
  const { name, digest, archive, platforms } = await buildImage({
    out: resolve(values.out),
    name: values.name,
    revision: values.revision,
    compression: values.compression as Compression,
    epoch,
  });
  for (const { architecture, digest, size } of platforms)
    console.log(`linux/${architecture} ${digest} ${(size / 1e6).toFixed(1)} MB`);
  console.log(`index ${digest}`);
  console.log(`${archive} holds ${name}`);
  return 0;
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        name: { type: 'string' },
        revision: { type: 'string' },
        compression: { type: 'string', default: 'zstd' },
        out: { type: 'string', default: join(root, 'dist/image') },
      },
    });
    return values;
  } catch {
    return undefined;
  }
}
