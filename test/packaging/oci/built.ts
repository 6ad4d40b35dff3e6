import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import type { Context } from 'mocha';
import { type Ending, startChild } from '../../../harness/child.ts';
import { hasImageParts } from '../../../setup/image-parts.mjs';
import { root } from '../../../setup/paths.mjs';

/** A JSON document of the image. */
// biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects to find, and fails when it is not there
export type Json = any;

export interface Blob {
  readonly digest: string;
  readonly size: number;
}

/** An image that was built into a folder of its own. */
export interface Built extends Disposable {
  readonly out: string;
  readonly printed: string;
  blob(descriptor: Blob): Buffer;
  /** Of `index.json`. */
  readonly index: Json;
  /** Of one platform. */
  manifest(architecture: string): Json;
  config(architecture: string): Json;
  /** The layers of a platform, one over the other, in a folder of their own. */
  unpack(architecture: string): string;
}

/** Builds by the program that `npm run image` runs; of another clone if one is named. */
export async function buildImage(options: readonly string[] = [], clone = root): Promise<Built> {
  const folder = mkdtempSync(join(tmpdir(), 'signet-image-'));
  const out = join(folder, 'image');
  const { code, printed, complaint } = await runBuild(['--out', out, ...options], clone);
  assert.equal(code, 0, complaint);
  const blob = ({ digest, size }: Blob) => {
    const bytes = readFileSync(join(out, 'layout/blobs', digest.replace(':', '/')));
    assert.equal(bytes.length, size);
    assert.equal(`sha256:${createHash('sha256').update(bytes).digest('hex')}`, digest);
    return bytes;
  };
  const json = (descriptor: Blob): Json => JSON.parse(blob(descriptor).toString());
  const index: Json = JSON.parse(readFileSync(join(out, 'layout/index.json'), 'utf8'));
  const manifest = (architecture: string): Json =>
    json(
      json(index.manifests[0]).manifests.find((each: Json) => each.platform.architecture === architecture),
    );
  return {
    ...{ out, printed, blob, index, manifest },
    config: (architecture) => json(manifest(architecture).config),
    unpack(architecture) {
      const place = join(folder, architecture);
      mkdirSync(place);
      for (const layer of manifest(architecture).layers)
        execFileSync('tar', ['-xp', '-C', place], { input: zstdDecompressSync(blob(layer)) });
      return place;
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export async function runBuild(
  options: readonly string[],
  clone = root,
  env: Readonly<Record<string, string>> = {},
): Promise<Ending & { printed: string; complaint: string }> {
  const child = await startChild(process.execPath, [join(clone, 'packaging/oci/main.ts'), ...options], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
  });
  return { ...(await child.ended), printed: child.stdout(), complaint: child.stderr() };
}

/** Where there is no apt the image is not built; with CI=true that is a failure. */
export function needImageParts(context: Context): void {
  if (!hasImageParts() && process.env['CI'] !== 'true') context.skip();
}
