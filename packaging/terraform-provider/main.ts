// `npm run provider`: the Terraform provider as a mirror and a CLI configuration, into dist/terraform.
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../../setup/paths.mjs';
import { buildMirror } from './mirror.ts';

const USAGE = `usage: npm run provider -- [--out <folder>]
the folder, dist/terraform if none is named, is emptied first`;

process.exitCode = await main().catch((error: Error) => {
  console.error(`the provider was not built: ${error.message}`);
  return 1;
});

async function main(): Promise<number> {
  const out = readOut();
  if (out === undefined) {
    console.error(USAGE);
    return 2;
  }
  const { folder, configuration } = await buildMirror({ folder: resolve(out) });
  console.log(`${folder} is a mirror with signet/signet`);
  console.log(`${configuration} is a CLI configuration that uses it: TF_CLI_CONFIG_FILE names it`);
  return 0;
}

function readOut(): string | undefined {
  try {
    return parseArgs({
      options: { out: { type: 'string', default: join(root, 'dist/terraform') } },
    }).values.out;
  } catch {
    return undefined;
  }
}
