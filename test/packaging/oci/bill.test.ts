import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import { after, before, describe, it } from 'mocha';
import { nodeFolder, platforms } from '../../../setup/image-parts.mjs';
import { root } from '../../../setup/paths.mjs';
import { type Built, buildImage, type Json, needImageParts } from './built.ts';

const schemas = join(
  dirname(createRequire(import.meta.url).resolve('@cyclonedx/cyclonedx-library/package.json')),
  'res/schema',
);
const schema = (name: string) =>
  JSON.parse(readFileSync(join(schemas, `${name}.SNAPSHOT.schema.json`), 'utf8'));
const locked: Json = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;

describe("the image's bill of materials", function () {
  this.timeout(120_000);
  let image: Built;
  before(async function () {
    needImageParts(this);
    image = await buildImage();
  });
  after(() => image?.[Symbol.dispose]());

  const bill = (architecture: string): Json =>
    JSON.parse(readFileSync(join(image.out, `signet-${architecture}.cdx.json`), 'utf8'));

  for (const platform of platforms) {
    const { architecture } = platform;
    describe(`for ${architecture}`, () => {
      it('is CycloneDX 1.6 by its published schema', () => {
        const ajv = new Ajv({
          strict: false,
          formats: { 'iri-reference': /^\S*$/, 'idn-email': true, 'date-time': true, uri: true },
        });
        // they refer to each other by the names that the package gives its files
        for (const name of ['spdx', 'jsf-0.82'])
          ajv.addSchema({ ...schema(name), $id: `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json` });
        const validate = ajv.compile(schema('bom-1.6'));
        assert.ok(validate(bill(architecture)), JSON.stringify(validate.errors));
        assert.ok(!validate({ ...bill(architecture), components: [{ name: 'nameless' }] }));
      });

      it('refers to the image in the layout', () => {
        const subject = image.manifest(architecture);
        const all = image.index.manifests
          .slice(1)
          .map((each: Json) => JSON.parse(image.blob(each).toString()));
        const [about] = all.filter(
          (each: Json) =>
            JSON.stringify(JSON.parse(image.blob(each.subject).toString())) === JSON.stringify(subject),
        );
        assert.equal(about.artifactType, 'application/vnd.cyclonedx+json');
        assert.deepEqual(JSON.parse(image.blob(about.layers[0]).toString()), bill(architecture));
        assert.deepEqual(about.config.mediaType, 'application/vnd.oci.empty.v1+json');
      });

      it('has Node, and each package that package.json needs at run time, as the lock file pins them', () => {
        const { components } = bill(architecture);
        const of = (name: string) => components.filter((each: Json) => each.name === name);
        const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
        for (const name of [platform.node, ...Object.keys(dependencies)]) {
          const { version, integrity } = locked[`node_modules/${name}`];
          const hash = Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex');
          const [component] = of(name).filter((each: Json) => each.version === version);
          assert.deepEqual(component?.hashes, [{ alg: 'SHA-512', content: hash }], name);
        }
      });

      it('names only npm packages that are locked, none for development alone, each with its licence', () => {
        const npm = bill(architecture).components.filter(({ purl }: Json) => purl.startsWith('pkg:npm/'));
        const known = Object.entries<Json>(locked).filter(([, { dev }]) => !dev);
        for (const { name, version, licenses } of npm) {
          const [found] = known.filter(
            ([path, each]) => path.endsWith(`node_modules/${name}`) && each.version === version,
          );
          assert.ok(found, name);
          const { license } = found[1];
          const wanted = [license].flat().map((each) => each.type ?? each);
          assert.deepEqual(
            licenses.map((each: Json) => each.expression ?? each.license.name),
            wanted,
          );
        }
      });

      it("has Debian's packages as the image tells scanners of them", () => {
        const place = image.unpack(architecture);
        const debian = bill(architecture).components.filter(({ purl }: Json) => purl.startsWith('pkg:deb/'));
        assert.deepEqual(debian.map(({ name }: Json) => name.replace(/gcc-\d+/, 'gcc')).sort(), [
          'base-files',
          'ca-certificates',
          'gcc-base',
          'libatomic1',
          'libbsd0',
          'libc6',
          'libedit2',
          'libgcc-s1',
          'libgmp10',
          'libjansson4',
          'libmd0',
          'libmnl0',
          'libnftables1',
          'libnftnl11',
          'libstdc++6',
          'libtinfo6',
          'libxtables12',
          'nftables',
        ]);
        for (const { name, version, hashes } of debian) {
          const control = readFileSync(join(place, 'var/lib/dpkg/status.d', name), 'utf8');
          assert.ok(control.split('\n').includes(`Version: ${version}`), name);
          assert.match(hashes[0].content, /^[0-9a-f]{64}$/);
        }
        const node = readFileSync(join(nodeFolder(platform), 'LICENSE'));
        assert.deepEqual(readFileSync(join(place, 'usr/share/doc/node/LICENSE')), node);
      });
    });
  }
});
