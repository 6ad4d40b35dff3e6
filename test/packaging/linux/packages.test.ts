import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { readElf } from '../../../packaging/parts/elf.ts';
import { root } from '../../../setup/paths.mjs';
import { renderPackageFiles } from '../../../setup/render-package-files.mjs';
import { type Built, buildPackages, needPackageParts, outputOf, runBuild } from './built.ts';

const MOST_BYTES = 40e6;
const FORMATS = ['amd64.deb', 'arm64.deb', 'x86_64.rpm', 'aarch64.rpm'];

describe('the files that packages are made with', () => {
  for (const [file, text] of renderPackageFiles())
    it(`${basename(file)} is in step with the settings (node setup/render-package-files.mjs writes it)`, () => {
      assert.equal(readFileSync(file, 'utf8'), text);
    });
});

describe('the packages', function () {
  this.timeout(300_000);
  let built: Built;
  before(async function () {
    needPackageParts(this);
    built = await buildPackages();
  });
  after(() => built?.[Symbol.dispose]());

  it('are told with their sizes and hashes, none over 40 MB', () => {
    const lines = built.printed.trim().split('\n');
    assert.equal(lines.length, FORMATS.length);
    for (const format of FORMATS) {
      const file = built.file(format);
      const content = readFileSync(file);
      const line = `${basename(file)} ${(content.length / 1e6).toFixed(1)} MB sha256:${sha256(content)}`;
      assert.ok(lines.includes(line), line);
      assert.ok(content.length <= MOST_BYTES, line);
      console.log(`      ${line}`);
    }
  });

  it('are the same bytes when they are built again in another folder', async () => {
    const clone = mkdtempSync(join(tmpdir(), 'signet-another-clone-'));
    try {
      const sources = ['bin', 'broker', 'cli', 'lib', 'packaging', 'setup', 'sidecar', 'tools'];
      for (const each of [...sources, 'package.json', 'package-lock.json', 'tsconfig.json'])
        cpSync(join(root, each), join(clone, each), { recursive: true });
      for (const each of ['node_modules', '.cache']) symlinkSync(join(root, each), join(clone, each));
      using again = await buildPackages(['--architecture', 'amd64'], clone);
      for (const format of ['amd64.deb', 'x86_64.rpm'])
        assert.equal(sha256(readFileSync(again.file(format))), sha256(readFileSync(built.file(format))));
    } finally {
      rmSync(clone, { recursive: true });
    }
  });

  for (const [format, machine] of [
    ['amd64.deb', 'amd64'],
    ['arm64.deb', 'arm64'],
  ] as const) {
    describe(format, () => {
      let place: string;
      before(() => {
        place = mkdtempSync(join(tmpdir(), 'signet-unpacked-'));
        outputOf('dpkg-deb', '-x', built.file(format), place);
      });
      after(() => rmSync(place, { recursive: true }));

      it('has a Node for its machines, whose libraries it depends on', () => {
        const { machine: found, needed } = readElf(readFileSync(join(place, 'opt/signet/bin/node')));
        assert.equal(found, machine);
        const packages: Readonly<Record<string, string>> = {
          'libatomic.so.1': 'libatomic1',
          'libstdc++.so.6': 'libstdc++6',
        };
        const depends = outputOf('dpkg-deb', '-f', built.file(format), 'Depends');
        for (const library of needed) assert.ok(depends.includes(packages[library] ?? 'libc6'), library);
      });

      it("belongs to root, and lends nobody root's rights", () => {
        const lines = outputOf('dpkg-deb', '-c', built.file(format)).trim().split('\n');
        for (const line of lines)
          assert.match(line, /^[dl-](rwxr.xr.x|rw-r--r--|rwxrwxrwx) root\/root /, line);
      });

      it('says what is in it, by a bill of materials', () => {
        const inside = readFileSync(join(place, 'usr/share/doc/signet/signet.cdx.json'), 'utf8');
        assert.equal(inside, readFileSync(join(built.out, `signet-${machine}.cdx.json`), 'utf8'));
        const { metadata, components } = JSON.parse(inside);
        assert.equal(metadata.component.type, 'application');
        const names = components.map(({ name }: { name: string }) => name);
        assert.ok(names.includes('jose') && names.some((name: string) => name.startsWith('node-linux-')));
      });
    });
  }

  it('leave settings as an operator made them, in RPM too', () => {
    const file = built.file('x86_64.rpm');
    assert.deepEqual(outputOf('rpm', '-qp', '--configfiles', file).trim().split('\n').sort(), [
      '/etc/signet/broker.env',
      '/etc/signet/sidecar.env',
    ]);
    const flags = outputOf('rpm', '-qp', '--qf', '[%{FILENAMES} %{FILEFLAGS:fflags}\n]', file);
    assert.match(flags, /^\/etc\/signet\/sidecar\.env cn$/m);
    assert.match(outputOf('rpm', '-K', '--nosignature', file), /digests OK/);
  });

  it('hold the same files in either format', () => {
    const paths = (text: string) =>
      text
        .split('\n')
        .map((line) => line.replace(/^.* \.\//, '/').replace(/ -> .*$|\/$/g, ''))
        .filter(Boolean);
    const deb = new Set(paths(outputOf('dpkg-deb', '-c', built.file('amd64.deb'))));
    const rpm = paths(outputOf('rpm', '-qpl', built.file('x86_64.rpm')));
    assert.ok(rpm.length > 50);
    assert.deepEqual(
      rpm.filter((path) => !deb.has(path)),
      [],
    );
  });

  it('are refused for a folder that holds something else, and for what they cannot be', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'signet-packages-'));
    try {
      writeFileSync(join(folder, 'mine'), '');
      const foreign = await runBuild(['--out', folder, '--architecture', 'amd64', '--format', 'deb']);
      assert.equal(foreign.code, 1);
      assert.match(foreign.complaint, /holds something else than packages/);
      mkdirSync(join(folder, 'empty'));
      for (const words of [['--architecture', 'sparc'], ['--format', 'apk'], ['--version', 'new'], ['more']])
        assert.equal((await runBuild([...words, '--out', join(folder, 'empty')])).code, 2, words.join(' '));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
