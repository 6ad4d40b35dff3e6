import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../setup/paths.mjs';
import type { DebianPackage } from '../oci/layers.ts';

/** A package of npm of which some part is in the product. */
export interface NpmPackage {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression, or in old packages a list of names. */
  readonly license: string | readonly { readonly type: string }[];
  /** As package-lock.json has it: `sha512-` and base64. */
  readonly integrity: string;
}

export interface Contents {
  readonly kind: 'container' | 'application';
  readonly product: { readonly name: string; readonly version: string; readonly license: string };
  readonly architecture: string;
  /** Node, as the npm package that it came in. */
  readonly node: NpmPackage;
  readonly npm: readonly NpmPackage[];
  readonly debian: readonly DebianPackage[];
  /** Debian's release, as `etc/os-release` numbers it. */
  readonly release: string;
}

/** Debian keeps licences as prose; these are what the prose says. */
const DEBIAN_LICENCES: Readonly<Record<string, string>> = {
  'base-files': 'GPL-2.0-or-later',
  'ca-certificates': 'MPL-2.0 AND GPL-2.0-or-later',
  libc6: 'LGPL-2.1-or-later',
  nftables: 'GPL-2.0-only',
  libnftables1: 'GPL-2.0-only',
  libnftnl11: 'GPL-2.0-or-later',
  libxtables12: 'GPL-2.0-only',
  libmnl0: 'LGPL-2.1-or-later',
  libgmp10: 'LGPL-3.0-or-later OR GPL-2.0-or-later',
  libjansson4: 'MIT',
  libedit2: 'BSD-3-Clause',
  libbsd0: 'BSD-3-Clause AND BSD-2-Clause AND ISC AND MIT AND Beerware',
  libmd0: 'BSD-3-Clause AND BSD-2-Clause AND ISC AND Beerware',
  libtinfo6: 'X11',
};
const GCC = 'GPL-3.0-or-later WITH GCC-exception-3.1';
const OF_GCC = /^(gcc-\d+-base|libatomic1|libgcc-s1|libstdc\+\+6)$/;

/**
 * What is in an image or a package, as a CycloneDX 1.6 document: the same contents are the same bytes, so it bears no time, and its number is made of them.
 */
export function billOf({ kind, product, architecture, node, npm, debian, release }: Contents): object {
  const top = {
    type: kind,
    'bom-ref': `signet-${architecture}`,
    ...{ name: product.name, version: product.version },
    licenses: [{ expression: product.license }],
  };
  const components = [
    npmComponent(node),
    ...npm.map(npmComponent),
    ...debian.map((each) => debianComponent(each, release)),
  ];
  const body = {
    metadata: { component: top },
    components,
    dependencies: [{ ref: top['bom-ref'], dependsOn: components.map((each) => each['bom-ref']) }],
  };
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify(body))}`,
    version: 1,
    ...body,
  };
}

/**
 * A package as package-lock.json has it.
 * @param place its folder, such as `node_modules/jose`
 * @throws Error for one that is here for development only
 */
export function lockedPackage(place: string): NpmPackage {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const { version, license, integrity, dev } = packages[place];
  if (dev) throw new Error(`${place} is for development, and a part of it is in the product`);
  return { name: place.slice(place.lastIndexOf('node_modules/') + 13), version, license, integrity };
}

function npmComponent({ name, version, license, integrity }: NpmPackage) {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  const content = Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex');
  return {
    ...{ type: 'library', 'bom-ref': purl, name, version, purl },
    hashes: [{ alg: 'SHA-512', content }],
    licenses:
      typeof license === 'string'
        ? [{ expression: license }]
        : license.map(({ type }) => ({ license: { name: type } })),
  };
}

function debianComponent({ name, version, architecture, sha256 }: DebianPackage, release: string) {
  const purl = `pkg:deb/debian/${name.replaceAll('+', '%2B')}@${encodeURIComponent(version)}?arch=${architecture}&distro=debian-${release}`;
  return {
    ...{ type: 'library', 'bom-ref': purl, name, version, purl },
    hashes: [{ alg: 'SHA-256', content: sha256 }],
    licenses: [{ expression: licenceOf(name) }],
  };
}

function licenceOf(name: string): string {
  const licence = OF_GCC.test(name) ? GCC : DEBIAN_LICENCES[name];
  if (!licence) throw new Error(`which licence Debian package ${name} has is not written down`);
  return licence;
}

/** A UUID of version 8, whose bits are the hash of a text. */
function uuidOf(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
