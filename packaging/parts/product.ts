import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { root } from '../../setup/paths.mjs';
import { type Entry, file as fileAt } from './entry.ts';

/** The product as it lies in an image or a package, below `/opt/signet`, and the npm packages of which some part is in it. */
export interface Product {
  readonly entries: readonly Entry[];
  readonly packages: readonly string[];
}

export const HOME = 'opt/signet';
const PROGRAMS = ['broker', 'sidecar', 'cli'];

/** What a package of ours tries to load and goes without: here only as a tool of development. */
const OPTIONAL = ['supports-color'];

/**
 * One file for each program and one for each part that is loaded on demand: a sidecar reads a dozen files instead of two hundred. Names and
 * lines are kept, so that a stack trace can be read.
 *
 * @param node the Node that `signet` starts on
 * @throws Error for a source that looks for files beside itself: there are none
 */
export async function buildProduct(node: string): Promise<Product> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(PROGRAMS.map((name) => [`${name}/main`, `${name}/main.ts`])),
    outdir: 'dist',
    bundle: true,
    preserveSymlinks: true,
    splitting: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    chunkNames: 'parts/[name]-[hash]',
    legalComments: 'none',
    // Packages in the older module form call `require` for what is Node's own.
    banner: {
      js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);",
    },
    plugins: [withoutDemo],
    external: OPTIONAL,
    logLevel: 'silent',
  });
  for (const { path, text } of outputFiles)
    if (text.split('import.meta').length !== 2) throw new Error(`${path} looks for files beside itself`);
  const packages = Object.values(metafile.outputs)
    .flatMap(({ inputs }) => Object.keys(inputs))
    .flatMap((path) => path.match(/^node_modules\/(.*node_modules\/)?(@[^/]+\/)?[^/]+/)?.[0] ?? []);
  return {
    packages: [...new Set(packages)].sort(),
    entries: [
      ...outputFiles.map(({ path, contents }) => file(path.slice(root.length + 1), contents)),
      ...launcher(node),
      ...[...new Set(packages)].sort().flatMap(licence),
    ],
  };
}

/** The demo starts a Vault and strangers' servers: it runs in a clone only. */
const withoutDemo: Plugin = {
  name: 'without-demo',
  setup({ onLoad }) {
    onLoad({ filter: /\/cli\/demo\/index\.ts$/ }, () => ({
      resolveDir: join(root, 'cli'),
      contents: `import { Command } from 'commander';
        export const demoCommand = () => new Command('demo').description('runs in a clone only').action(() => {
          throw new Error('the demo runs in a clone only');
        });`,
    }));
  },
};

function launcher(node: string): Entry[] {
  const script = readFileSync(join(root, 'bin/signet.mjs'), 'utf8');
  const { name, version, license, type } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return [
    // Without `env`, which an image does not have, and which would find whatever Node a machine has.
    file('bin/signet.mjs', Buffer.from(script.replace(/^#!.*/, `#!${node}`)), 0o755),
    file('bin/flags.mjs', readFileSync(join(root, 'bin/flags.mjs'))),
    file('package.json', Buffer.from(`${JSON.stringify({ name, version, license, type }, null, 2)}\n`)),
    { path: 'usr/bin/signet', kind: 'link', target: `../../${HOME}/bin/signet.mjs` },
  ];
}

/** What a package says of its licence goes with it. */
function licence(folder: string): Entry[] {
  const texts = globSync(
    '{[Ll][Ii][Cc][Ee][Nn][CcSs][Ee],[Nn][Oo][Tt][Ii][Cc][Ee],[Cc][Oo][Pp][Yy][Ii][Nn][Gg]}*',
    {
      cwd: join(root, folder),
    },
  ).sort();
  const name = folder.slice('node_modules/'.length);
  return texts.map((text) =>
    file(`licences/${name}/${basename(text)}`, readFileSync(join(root, folder, text))),
  );
}

function file(path: string, content: Uint8Array, mode?: number): Entry {
  return fileAt(`${HOME}/${path}`, content, mode);
}
