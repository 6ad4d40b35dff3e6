import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Platform } from '../../setup/image-parts.mjs';
import { type Entry, file } from '../parts/entry.ts';
import { nodeFiles } from '../parts/node.ts';
import { HOME, type Product } from '../parts/product.ts';

/** The Node that is in the package, and no other, runs the product. */
export const NODE = `/${HOME}/bin/node`;

/** What an operator changes: an upgrade leaves it as it is. */
export const SETTINGS_FILES = ['etc/signet/sidecar.env', 'etc/signet/broker.env'] as const;

const UNITS = ['signet-sidecar.service', 'signet-sidecar@.service', 'signet-broker.service'] as const;
const OWN = /^(opt|etc|usr\/share\/doc)\/signet(\/|$)/;
const PROGRAMS = ['sidecar', 'broker'] as const;

/** All that a package puts into a machine. @param bill the bill of materials */
export function contentsOf(platform: Platform, product: Product, bill: string): Entry[] {
  const node = nodeFiles(platform);
  const doc = 'usr/share/doc/signet';
  return withOwnFolders([
    ...product.entries,
    file(NODE.slice(1), node.program, 0o755),
    file(`${HOME}/licences/node/LICENSE`, node.licence),
    ...UNITS.map((name) => file(`usr/lib/systemd/system/${name}`, unit(name))),
    file('usr/lib/sysusers.d/signet.conf', own('sysusers.conf')),
    ...SETTINGS_FILES.map((path) => file(path, own(path.slice('etc/signet/'.length)))),
    ...PROGRAMS.map((name) => file(`usr/share/man/man8/signet-${name}.8.gz`, manualPage(name))),
    file(`${doc}/copyright`, readFileSync(join(import.meta.dirname, 'files/copyright'))),
    file(`${doc}/signet.cdx.json`, `${bill}\n`),
  ]);
}

/** Folders that are the package's alone go with it. */
function withOwnFolders(entries: readonly Entry[]): Entry[] {
  const folders = new Set<string>();
  for (const { path } of entries)
    for (let above = dirname(path); OWN.test(above); above = dirname(above)) folders.add(above);
  return [...[...folders].sort().map((path): Entry => ({ path, kind: 'folder' })), ...entries];
}

/** The sandbox is the same for all of them, and stands in each: who reads one sees it. */
function unit(name: string): string {
  return own(name).replace('# sandbox.conf\n', () => own('sandbox.conf'));
}

function own(name: string): string {
  return readFileSync(join(import.meta.dirname, 'files', name), 'utf8');
}

/** Its header bears no time and no name. */
function manualPage(name: string): Uint8Array {
  return gzipSync(own(`signet-${name}.8`), { level: 9 });
}
