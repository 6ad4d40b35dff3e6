import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import type { Entry } from '../parts/entry.ts';
import { writeTar } from './tar.ts';

/** How one piece of content names another. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: { readonly architecture: string; readonly os: string };
}

export const MEDIA = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  empty: 'application/vnd.oci.empty.v1+json',
} as const;

/** zstd is a fifth smaller and unpacks faster; gzip is for what is older than containerd 1.5 or Docker 23. */
export type Compression = 'zstd' | 'gzip';

export interface Layer {
  readonly descriptor: Descriptor;
  /** The digest before compression, which the image's configuration names. */
  readonly diffId: string;
}

/** An OCI image layout, gathered in memory: content by its digest, and `index.json` that says where to begin. */
export class Layout {
  readonly #blobs = new Map<string, Buffer>();

  add(mediaType: string, content: Buffer): Descriptor {
    const digest = digestOf(content);
    this.#blobs.set(digest, content);
    return { mediaType, digest, size: content.length };
  }

  addJson(mediaType: string, value: object): Descriptor {
    return this.add(mediaType, Buffer.from(JSON.stringify(value)));
  }

  addLayer(entries: readonly Entry[], compression: Compression): Layer {
    const tar = writeTar(entries);
    return { descriptor: this.add(MEDIA[compression], COMPRESS[compression](tar)), diffId: digestOf(tar) };
  }

  /** Writes the layout as a folder, and the same as one archive. */
  write(folder: string, archive: string, manifests: readonly Descriptor[]): void {
    const files = [
      ...Array.from(this.#blobs, ([digest, content]) => file(`blobs/${digest.replace(':', '/')}`, content)),
      file('index.json', { schemaVersion: 2, mediaType: MEDIA.index, manifests }),
      file('oci-layout', { imageLayoutVersion: '1.0.0' }),
    ];
    mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
    for (const { path, content } of files) writeFileSync(join(folder, path), content);
    writeFileSync(archive, writeTar(files));
  }
}

const COMPRESS: Readonly<Record<Compression, (bytes: Buffer) => Buffer>> = {
  zstd: (bytes) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 9 } }),
  gzip: (bytes) => {
    const packed = gzipSync(bytes, { level: 9 });
    packed[9] = 255; // the system that packed it: unknown
    return packed;
  },
};

function file(path: string, content: Buffer | object): Extract<Entry, { kind: 'file' }> {
  return {
    path,
    kind: 'file',
    content: Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content)),
  };
}

function digestOf(content: Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}
