import { existsSync, globSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { debianFolder, nodeFolder, type Platform } from '../../setup/image-parts.mjs';
import { readElf } from '../parts/elf.ts';
import { type Entry, file } from '../parts/entry.ts';
import { nodeFiles } from '../parts/node.ts';

/** A package as set-up wrote it down when it fetched it. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly sha256: string;
  /** Debian's own description of it, which scanners read. */
  readonly control: string;
}

const TRIPLETS = { amd64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' } as const;

/** No login, no home that can be written to, no shell. */
const PASSWD =
  'root:x:0:0:root:/nonexistent:/nonexistent\nnonroot:x:65532:65532:nonroot:/nonexistent:/nonexistent\n';

export function debianPackages(platform: Platform): DebianPackage[] {
  return JSON.parse(readFileSync(join(debianFolder(platform), 'packages.json'), 'utf8'));
}

/** Node, and its licence. */
export function nodeLayer(platform: Platform): Entry[] {
  const { program, licence } = nodeFiles(platform);
  return [file('usr/bin/node', program, 0o755), file('usr/share/doc/node/LICENSE', licence)];
}

/** What Node needs of a system: its libraries, certificate authorities, two users, and empty places to mount on; and `nft`. */
export function baseLayer(platform: Platform): Entry[] {
  const from = debianFolder(platform);
  const packages = debianPackages(platform);
  return [
    ...libraries(platform),
    file('usr/sbin/nft', nft(platform), 0o755),
    file('etc/passwd', Buffer.from(PASSWD)),
    file('etc/group', Buffer.from('root:x:0:\nnonroot:x:65532:\n')),
    file('etc/nsswitch.conf', Buffer.from('passwd: files\ngroup: files\nhosts: files dns\n')),
    file('etc/os-release', readFileSync(join(from, 'base-files/usr/lib/os-release'))),
    file('etc/ssl/certs/ca-certificates.crt', authorities(from)),
    ...packages.map(({ name, control }) => file(`var/lib/dpkg/status.d/${name}`, Buffer.from(control))),
    ...packages.flatMap(({ name }) => licence(from, name)),
    ...['dev', 'proc', 'run', 'sys'].map((path): Entry => ({ path, kind: 'folder' })),
    { path: 'tmp', kind: 'folder', mode: 0o1777 },
    { path: 'var/run', kind: 'link', target: '../run' },
  ];
}

/** By which `signet sidecar iptables` writes the kernel's rules. */
function nft(platform: Platform): Buffer {
  return readFileSync(join(debianFolder(platform), 'nftables/usr/sbin/nft'));
}

/** The libraries of Node and nft, theirs, and the loader: those that the files themselves name, and no other. */
function libraries(platform: Platform): Entry[] {
  const from = debianFolder(platform);
  const folder = `usr/lib/${TRIPLETS[platform.architecture]}`;
  const places = new Map(
    globSync(`*/{lib,usr/lib}/${TRIPLETS[platform.architecture]}/*.so*`, { cwd: from })
      .sort()
      .map((path) => [basename(path), join(from, path)]),
  );
  const node = readElf(readFileSync(join(nodeFolder(platform), 'bin/node')));
  const loader = node.interpreter ?? '';
  const found = new Map<string, Buffer>();
  for (
    const queue = [basename(loader), ...node.needed, ...readElf(nft(platform)).needed];
    queue.length > 0;
  ) {
    const name = String(queue.pop());
    if (found.has(name)) continue;
    const place = places.get(name);
    if (!place) throw new Error(`no Debian package that was fetched has ${name}`);
    const bytes = readFileSync(realpathSync(place));
    const elf = readElf(bytes);
    if (elf.machine !== platform.architecture) throw new Error(`${name} is for ${elf.machine}`);
    found.set(name, bytes);
    queue.push(...elf.needed);
  }
  // /lib and /lib64 are links into /usr, as Debian has them; the loader lies where Node looks for it.
  const links: Entry[] = [{ path: 'lib', kind: 'link', target: 'usr/lib' }];
  if (loader.startsWith('/lib64/')) links.push({ path: 'lib64', kind: 'link', target: 'usr/lib64' });
  return [
    ...links,
    {
      path: `usr${loader}`,
      kind: 'link',
      target: relative(dirname(`usr${loader}`), `${folder}/${basename(loader)}`),
    },
    ...[...found].map(([name, bytes]) => file(`${folder}/${name}`, bytes, 0o755)),
  ];
}

/** All of Mozilla's, in one file, as Debian's own script would put them together. */
function authorities(from: string): Buffer {
  const folder = join(from, 'ca-certificates/usr/share/ca-certificates/mozilla');
  const files = globSync('*.crt', { cwd: folder }).sort();
  if (files.length === 0) throw new Error('no certificate authorities in ca-certificates');
  return Buffer.from(files.map((name) => `${readFileSync(join(folder, name), 'utf8').trim()}\n`).join(''));
}

/** A package that shares its text with another has a link instead of it; it is a copy here. */
function licence(from: string, name: string): Entry[] {
  const own = join(from, name, 'usr/share/doc', name, 'copyright');
  const shared = globSync('gcc-*-base/usr/share/doc/gcc-*-base/copyright', { cwd: from }).map((path) =>
    join(from, path),
  );
  const place = [own, ...shared].find(existsSync);
  if (!place) throw new Error(`no licence text for ${name}`);
  return [file(`usr/share/doc/${name}/copyright`, readFileSync(place))];
}
