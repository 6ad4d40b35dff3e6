import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { debianFolder, type Platform, platforms } from '../../setup/image-parts.mjs';
import { root } from '../../setup/paths.mjs';
import type { Entry } from '../parts/entry.ts';
import { buildProduct, type Product } from '../parts/product.ts';
import { billOf, lockedPackage } from '../parts/sbom.ts';
import { baseLayer, debianPackages, nodeLayer } from './layers.ts';
import { type Compression, type Descriptor, type Layer, Layout, MEDIA } from './layout.ts';

export interface Options {
  /** A folder that is emptied, when an image is in it, and filled. */
  readonly out: string;
  /** What the image is called where it is imported: `registry.example.org/signet:0.1.0`. */
  readonly name: string | undefined;
  /** The commit that it is made of, for its label. */
  readonly revision: string | undefined;
  readonly compression: Compression;
  /** Seconds since 1970 that the image bears as its time. */
  readonly epoch: number;
}

export interface Image {
  readonly name: string;
  /** Of the index over all platforms. */
  readonly digest: string;
  readonly archive: string;
  readonly platforms: readonly {
    readonly architecture: string;
    readonly digest: string;
    readonly size: number;
  }[];
}

const BILL = 'application/vnd.cyclonedx+json';
/** All that a process of ours gets that is not given to it where it is started. */
const ENVIRONMENT = ['PATH=/usr/bin'];

/**
 * Writes into `out` the image as an OCI layout (`layout/`), the same as one archive, and each platform's bill of materials. The same sources,
 * packages and options are the same bytes.
 *
 * @throws Error when `out` holds something else than an earlier image
 */
export async function buildImage(options: Options): Promise<Image> {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const name = options.name ?? `docker.io/library/signet:${manifest.version}`;
  empty(options.out);
  mkdirSync(options.out, { recursive: true });
  const product = await buildProduct('/usr/bin/node');
  const layout = new Layout();
  const add = (entries: readonly Entry[]) => layout.addLayer(entries, options.compression);
  const top = add(product.entries);
  const labels = {
    'org.opencontainers.image.title': manifest.name,
    'org.opencontainers.image.description': manifest.description,
    'org.opencontainers.image.version': manifest.version,
    'org.opencontainers.image.licenses': manifest.license,
    ...(options.revision && { 'org.opencontainers.image.revision': options.revision }),
  };
  const images = platforms.map((platform) => {
    const layers = [add(baseLayer(platform)), add(nodeLayer(platform)), top];
    const image = addImage(layout, platform, layers, labels, options.epoch);
    const bill = JSON.stringify(billFor(platform, product, manifest), null, 2);
    writeFileSync(join(options.out, `signet-${platform.architecture}.cdx.json`), `${bill}\n`);
    const size = layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
    return { image, size, bill: addBill(layout, image, Buffer.from(bill)) };
  });
  const index = layout.addJson(MEDIA.index, {
    ...{ schemaVersion: 2, mediaType: MEDIA.index, manifests: images.map(({ image }) => image) },
    annotations: labels,
  });
  const annotations = {
    'io.containerd.image.name': name,
    'org.opencontainers.image.ref.name': manifest.version,
  };
  const archive = join(options.out, 'signet.tar');
  layout.write(join(options.out, 'layout'), archive, [
    { ...index, annotations },
    ...images.map(({ bill }) => bill),
  ]);
  return {
    ...{ name, digest: index.digest, archive },
    platforms: images.map(({ image, size }) => ({
      ...{ architecture: image.platform!.architecture, digest: image.digest, size },
    })),
  };
}

/** Only what an earlier build left is taken away. */
function empty(folder: string): void {
  if (!existsSync(folder)) return;
  if (readdirSync(folder).length > 0 && !existsSync(join(folder, 'layout/oci-layout')))
    throw new Error(`${folder} holds something else than an image: name another folder`);
  rmSync(folder, { recursive: true });
}

function addImage(
  layout: Layout,
  { architecture }: Platform,
  layers: readonly Layer[],
  labels: Readonly<Record<string, string>>,
  epoch: number,
): Descriptor {
  const created = new Date(epoch * 1000).toISOString().replace('.000', '');
  const config = layout.addJson(MEDIA.config, {
    ...{ architecture, os: 'linux', created },
    config: {
      ...{ User: '65532:65532', WorkingDir: '/', Env: ENVIRONMENT, Labels: labels },
      ...{ Entrypoint: ['/usr/bin/signet'], Cmd: ['--help'], StopSignal: 'SIGTERM' },
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: ['Debian libraries and nft', 'Node', 'Signet'].map((created_by) => ({ created, created_by })),
  });
  const manifest = layout.addJson(MEDIA.manifest, {
    ...{ schemaVersion: 2, mediaType: MEDIA.manifest, config },
    ...{ layers: layers.map(({ descriptor }) => descriptor), annotations: labels },
  });
  return { ...manifest, platform: { architecture, os: 'linux' } };
}

/** An artifact that has the image as its subject: registries list it as what refers to the image. */
function addBill(layout: Layout, image: Descriptor, bill: Buffer): Descriptor {
  const { mediaType, digest, size } = image;
  const manifest = layout.addJson(MEDIA.manifest, {
    ...{ schemaVersion: 2, mediaType: MEDIA.manifest, artifactType: BILL },
    config: layout.add(MEDIA.empty, Buffer.from('{}')),
    layers: [layout.add(BILL, bill)],
    subject: { mediaType, digest, size },
  });
  return { ...manifest, artifactType: BILL };
}

function billFor(platform: Platform, product: Product, manifest: Readonly<Record<string, string>>): object {
  const release = readFileSync(join(debianFolder(platform), 'base-files/usr/lib/os-release'), 'utf8');
  return billOf({
    kind: 'container',
    product: { name: manifest['name']!, version: manifest['version']!, license: manifest['license']! },
    architecture: platform.architecture,
    node: lockedPackage(`node_modules/${platform.node}`),
    npm: product.packages.map(lockedPackage),
    debian: debianPackages(platform),
    release: release.match(/^VERSION_ID="(.+)"$/m)?.[1] ?? 'unknown',
  });
}
