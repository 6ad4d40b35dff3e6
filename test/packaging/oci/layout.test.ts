import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { after, before, describe, it } from 'mocha';
import { root } from '../../../setup/paths.mjs';
import { type Built, buildImage, type Json, needImageParts, runBuild } from './built.ts';

const ARCHITECTURES = ['amd64', 'arm64'] as const;

describe('the image', function () {
  this.timeout(120_000);
  let image: Built;
  before(async function () {
    needImageParts(this);
    image = await buildImage();
  });
  after(() => image?.[Symbol.dispose]());

  it('is an OCI layout: an index over both platforms, and what refers to them', () => {
    const layout = readFileSync(join(image.out, 'layout/oci-layout'), 'utf8');
    assert.deepEqual(JSON.parse(layout), { imageLayoutVersion: '1.0.0' });
    const [named, ...referring] = image.index.manifests;
    assert.equal(named.mediaType, 'application/vnd.oci.image.index.v1+json');
    assert.deepEqual(named.annotations, {
      'io.containerd.image.name': 'docker.io/library/signet:0.1.0',
      'org.opencontainers.image.ref.name': '0.1.0',
    });
    const platforms = JSON.parse(image.blob(named).toString()).manifests.map((each: Json) => each.platform);
    assert.deepEqual(
      platforms,
      ARCHITECTURES.map((architecture) => ({ architecture, os: 'linux' })),
    );
    assert.deepEqual(
      referring.map((each: Json) => each.artifactType),
      ['application/vnd.cyclonedx+json', 'application/vnd.cyclonedx+json'],
    );
  });

  it('holds no content that nothing names, and no name without its content', () => {
    const named = new Set<string>();
    const visit = (descriptor: Json) => {
      named.add(descriptor.digest.slice('sha256:'.length));
      const bytes = image.blob(descriptor);
      if (!/(manifest|index)\.v1\+json$/.test(descriptor.mediaType)) return;
      const { config, layers = [], manifests = [], subject } = JSON.parse(bytes.toString());
      for (const each of [config, ...layers, ...manifests, subject]) if (each) visit(each);
    };
    for (const each of image.index.manifests) visit(each);
    assert.deepEqual(readdirSync(join(image.out, 'layout/blobs/sha256')).sort(), [...named].sort());
  });

  for (const architecture of ARCHITECTURES) {
    it(`for ${architecture} says how it starts, as whom, and at no time`, () => {
      const config = image.config(architecture);
      assert.deepEqual(
        [config.architecture, config.os, config.created],
        [architecture, 'linux', '1970-01-01T00:00:00Z'],
      );
      const { User, Entrypoint, Cmd, Env, Labels } = config.config;
      assert.deepEqual([User, Entrypoint, Cmd], ['65532:65532', ['/usr/bin/signet'], ['--help']]);
      assert.deepEqual(Env, ['PATH=/usr/bin']);
      assert.equal(Labels['org.opencontainers.image.version'], '0.1.0');
    });

    it(`for ${architecture} has the layers that its configuration names`, () => {
      const { layers } = image.manifest(architecture);
      assert.equal(layers.length, 3);
      const hashes = layers.map((layer: Json) => {
        assert.equal(layer.mediaType, 'application/vnd.oci.image.layer.v1.tar+zstd');
        return `sha256:${sha256(zstdDecompressSync(image.blob(layer)))}`;
      });
      assert.deepEqual(hashes, image.config(architecture).rootfs.diff_ids);
    });

    it(`for ${architecture} is at most 40 MB`, () => {
      const sizes = image.manifest(architecture).layers.map(({ size }: Json) => size);
      console.log(`      layers of ${sizes.map((size: number) => (size / 1e6).toFixed(1)).join(', ')} MB`);
      assert.ok(sizes.reduce((sum: number, size: number) => sum + size) < 40e6);
    });
  }

  it('shares the layer of the product between the platforms', () => {
    const [amd, arm] = ARCHITECTURES.map((each) => image.manifest(each).layers[2].digest);
    assert.equal(amd, arm);
  });

  it('is the same in its archive', () => {
    const folder = mkdtempSync(join(image.out, 'archive-'));
    execFileSync('tar', ['-xf', join(image.out, 'signet.tar'), '-C', folder]);
    const all = (place: string) =>
      Object.fromEntries(
        readdirSync(place, { recursive: true, withFileTypes: true })
          .filter((each) => each.isFile())
          .map((each) => join(each.parentPath, each.name))
          .map((path) => [path.slice(place.length), sha256(readFileSync(path))]),
      );
    assert.deepEqual(all(folder), all(join(image.out, 'layout')));
  });

  it('is the same bytes when it is built again in another folder', async () => {
    const clone = mkdtempSync(join(tmpdir(), 'signet-another-clone-'));
    try {
      const sources = ['bin', 'broker', 'cli', 'lib', 'packaging', 'setup', 'sidecar'];
      for (const each of [...sources, 'package.json', 'package-lock.json', 'tsconfig.json'])
        cpSync(join(root, each), join(clone, each), { recursive: true });
      for (const each of ['node_modules', '.cache']) symlinkSync(join(root, each), join(clone, each));
      using again = await buildImage([], clone);
      assert.deepEqual(again.index, image.index);
      assert.equal(
        sha256(readFileSync(join(again.out, 'signet.tar'))),
        sha256(readFileSync(join(image.out, 'signet.tar'))),
      );
      assert.equal(again.printed.replaceAll(again.out, image.out), image.printed);
    } finally {
      rmSync(clone, { recursive: true });
    }
  });

  it('takes a name, a revision, a time, and gzip', async () => {
    const out = join(image.out, 'named');
    const options = [
      '--out',
      out,
      '--name',
      'registry.example.org/signet:1',
      '--revision',
      'abc',
      '--compression',
      'gzip',
    ];
    const { code, complaint } = await runBuild(options, root, { SOURCE_DATE_EPOCH: '86400' });
    assert.equal(code, 0, complaint);
    const blob = ({ digest }: Json) => readFileSync(join(out, 'layout/blobs', digest.replace(':', '/')));
    const read = (descriptor: Json) => JSON.parse(blob(descriptor).toString());
    const { manifests } = JSON.parse(readFileSync(join(out, 'layout/index.json'), 'utf8'));
    assert.equal(manifests[0].annotations['io.containerd.image.name'], 'registry.example.org/signet:1');
    const manifest = read(read(manifests[0]).manifests[0]);
    const config = read(manifest.config);
    assert.equal(config.created, '1970-01-02T00:00:00Z');
    assert.equal(config.config.Labels['org.opencontainers.image.revision'], 'abc');
    assert.equal(manifest.layers[0].mediaType, 'application/vnd.oci.image.layer.v1.tar+gzip');
    assert.equal(`sha256:${sha256(gunzipSync(blob(manifest.layers[0])))}`, config.rootfs.diff_ids[0]);
    assert.deepEqual(config.rootfs, image.config('amd64').rootfs);
  });

  it('is not built over what is no image', async () => {
    const out = join(image.out, 'precious');
    mkdirSync(out);
    writeFileSync(join(out, 'thesis.txt'), 'years');
    const { code, complaint } = await runBuild(['--out', out]);
    assert.equal(code, 1);
    assert.match(
      complaint,
      /^the image was not built: .+ holds something else than an image: name another folder\n$/,
    );
    assert.deepEqual(readdirSync(out), ['thesis.txt']);
  });

  for (const [what, options, env] of [
    ['an unknown compression', ['--compression', 'lzw'], {}],
    ['an unknown option', ['--push'], {}],
    ['a time that is none', [], { SOURCE_DATE_EPOCH: 'now' }],
  ] as const)
    it(`refuses ${what}`, async () => {
      const { code, complaint } = await runBuild(options, root, env);
      assert.equal(code, 2);
      assert.match(complaint, /^usage: npm run image/);
    });
});

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
