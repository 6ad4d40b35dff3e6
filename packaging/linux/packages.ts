import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Platform, platforms } from '../../setup/image-parts.mjs';
import { nfpmBinary } from '../../setup/nfpm.mjs';
import { root } from '../../setup/paths.mjs';
import type { Entry } from '../parts/entry.ts';
import { buildProduct, type Product } from '../parts/product.ts';
import { billOf, lockedPackage } from '../parts/sbom.ts';
import { contentsOf, NODE } from './contents.ts';
import { type DebCompression, recipe } from './recipe.ts';

export const FORMATS = ['deb', 'rpm'] as const;
export type Format = (typeof FORMATS)[number];
export type Architecture = Platform['architecture'];

export interface Options {
  /** A folder that is emptied, when packages are in it, and filled. */
  readonly out: string;
  readonly architectures: readonly Architecture[];
  readonly formats: readonly Format[];
  /** Of the packages; left out, that of package.json. */
  readonly version: string | undefined;
  readonly compression: DebCompression;
  /** Seconds since 1970 that all in the packages bears as its time. */
  readonly epoch: number;
}

export interface Package {
  readonly file: string;
  /** In bytes. */
  readonly size: number;
  readonly sha256: string;
}

const MARK = 'signet-packages.json';

/**
 * Writes the packages into `out`, each with its bill of materials beside it, and a list of them. The same sources and options are the same bytes.
 *
 * @throws Error when `out` holds something else than earlier packages, or nfpm refuses
 */
export async function buildPackages(options: Options): Promise<Package[]> {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const version = options.version ?? manifest.version;
  empty(options.out);
  mkdirSync(options.out, { recursive: true });
  const product = await buildProduct(NODE);
  const wanted = platforms.filter(({ architecture }) => options.architectures.includes(architecture));
  const built = await Promise.all(
    wanted.map((platform) => buildFor(platform, product, { ...options, manifest, version })),
  );
  const packages = built.flat();
  writeFileSync(join(options.out, MARK), `${JSON.stringify(packages.map(named), null, 2)}\n`);
  return packages;
}

type Task = Omit<Options, 'version'> & {
  readonly version: string;
  readonly manifest: Readonly<Record<string, string>>;
};

async function buildFor(platform: Platform, product: Product, task: Task): Promise<Package[]> {
  const { architecture } = platform;
  const { manifest, version, epoch, out, compression } = task;
  const bill = billOf({
    kind: 'application',
    product: { name: manifest['name']!, version, license: manifest['license']! },
    ...{ architecture, node: lockedPackage(`node_modules/${platform.node}`) },
    ...{ npm: product.packages.map(lockedPackage), debian: [], release: '' },
  });
  const text = JSON.stringify(bill, null, 2);
  writeFileSync(join(out, `signet-${architecture}.cdx.json`), `${text}\n`);
  const stage = mkdtempSync(join(tmpdir(), 'signet-package-'));
  try {
    const entries = contentsOf(platform, product, text);
    write(stage, entries);
    const config = join(stage, 'nfpm.json');
    writeFileSync(
      config,
      JSON.stringify(recipe({ entries, stage, architecture, version, epoch, manifest, compression })),
    );
    const packages: Package[] = [];
    for (const format of task.formats) packages.push(await pack(format, config, out));
    return packages;
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

function write(stage: string, entries: readonly Entry[]): void {
  for (const entry of entries) {
    if (entry.kind !== 'file') continue;
    mkdirSync(dirname(join(stage, entry.path)), { recursive: true });
    writeFileSync(join(stage, entry.path), entry.content);
  }
}

async function pack(format: Format, config: string, out: string): Promise<Package> {
  const nfpm = nfpmBinary();
  if (!nfpm) throw new Error('nfpm is not here: run `npm run setup package`');
  const folder = mkdtempSync(join(out, '.packing-'));
  try {
    const args = ['package', '--config', config, '--packager', format, '--target', `${folder}/`];
    // Nothing of the caller's environment gets into a package.
    await promisify(execFile)(nfpm, args, { env: {} });
    const [name = ''] = readdirSync(folder);
    const content = readFileSync(join(folder, name));
    const file = join(out, name);
    writeFileSync(file, content);
    return { file, size: content.length, sha256: createHash('sha256').update(content).digest('hex') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function named({ file, ...rest }: Package): object {
  return { file: basename(file), ...rest };
}

/** Only what an earlier build left is taken away. */
function empty(folder: string): void {
  if (!existsSync(folder)) return;
  if (readdirSync(folder).length > 0 && !existsSync(join(folder, MARK)))
    throw new Error(`${folder} holds something else than packages: name another folder`);
  rmSync(folder, { recursive: true });
}
