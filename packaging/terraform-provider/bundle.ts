import { build } from 'esbuild';
import { root } from '../../setup/paths.mjs';
import type { ProviderSource } from './mirror.ts';

export interface Bundle {
  /** One file that a shell starts and Node runs. */
  readonly program: Uint8Array;
  /** The npm packages of which some part is in it. */
  readonly packages: readonly string[];
}

const NEEDED_NODE = 26;

/**
 * The provider as one file. It stands in strange folders, so nothing beside it may matter: it is no module of either kind, and what looks
 * for files beside itself is refused.
 */
export async function bundleProvider({ name, main }: ProviderSource): Promise<Bundle> {
  const { outputFiles, metafile, warnings } = await build({
    absWorkingDir: root,
    entryPoints: [main],
    outfile: 'provider',
    bundle: true,
    preserveSymlinks: true,
    write: false,
    metafile: true,
    format: 'iife',
    platform: 'node',
    target: `node${NEEDED_NODE}`,
    legalComments: 'none',
    banner: { js: launcher(name) },
    logLevel: 'silent',
  });
  const [output] = outputFiles;
  if (!output || warnings.length > 0) throw new Error(warnings[0]?.text ?? 'nothing was bundled');
  const packages = Object.values(metafile.outputs)
    .flatMap(({ inputs }) => Object.keys(inputs))
    .flatMap((path) => path.match(/^node_modules\/(.*node_modules\/)?(@[^/]+\/)?[^/]+/)?.[0] ?? []);
  return { program: output.contents, packages: [...new Set(packages)].sort() };
}

/** Read and run as a function: whether a file is a module, and which, Node otherwise tells by its ending and a package.json above it. */
const START = [
  'const { compileFunction, constants } = require("node:vm")',
  'const filename = process.argv[1]',
  'const text = require("node:fs").readFileSync(filename, "utf8").replace(/^#!/, "//")',
  'const importModuleDynamically = constants.USE_MAIN_CONTEXT_DEFAULT_LOADER',
  'compileFunction(text, ["require"], { filename, importModuleDynamically })(require)',
].join('; ');

/** To a shell the first lines are commands, to Node a text and a comment each. */
function launcher(name: string): string {
  const needs = `terraform-provider-${name} needs Node ${NEEDED_NODE} or newer`;
  const refuse = `{ console.error("${needs}; on the PATH is " + process.versions.node); process.exit(1); }`;
  const judge = `if (Number(process.versions.node.split(".")[0]) < ${NEEDED_NODE}) ${refuse}`;
  return `#!/bin/sh
':' //; command -v node >/dev/null 2>&1 || { echo "${needs} on the PATH" >&2; exit 1; }
':' //; exec node --input-type=commonjs -e '${judge} ${START}' -- "$0"`;
}
