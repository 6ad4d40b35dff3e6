import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Entry, writeTar } from './tar.ts';

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
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  empty: 'application/vnd.oci.empty.v1+json',
} as const;

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

  addLayer(entries: readonly Entry[]): Layer {
    const tar = writeTar(entries);
    const packed = gzipSync(tar, { level: 9 });
    packed[9] = 255; // the machine that packed it: unknown
    return { descriptor: this.add(MEDIA.layer, packed), diffId: digestOf(tar) };
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
