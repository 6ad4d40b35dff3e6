import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { root } from '../../../setup/paths.mjs';
import { needImageParts, runBuild } from './built.ts';

const doc = readFileSync(join(root, 'docs/image.md'), 'utf8');
const commands = Array.from(doc.matchAll(/^```sh\n([\s\S]*?)^```$/gm), ([, block]) => String(block)).flatMap(
  (block) => block.trim().split('\n'),
);
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
/** Programs of others: a test with a registry or a cluster is where they run. */
const others = ['ctr', 'skopeo'];

describe('docs/image.md', function () {
  this.timeout(120_000);

  it('has commands that run as they stand there', async function () {
    needImageParts(this);
    // `npm run` would set up this clone first, and leave the image in it
    const folder = mkdtempSync(join(tmpdir(), 'signet-image-docs-'));
    try {
      for (const command of commands) {
        const [program = '', ...words] = command.split(' ');
        if (others.includes(program)) continue;
        if (program === 'npm') {
          assert.deepEqual(words.slice(0, 2), ['run', 'image']);
          const options = words.slice(3).length > 0 ? words.slice(3) : ['--out', 'dist/image'];
          const placed = options.map((word) => (word.startsWith('dist/') ? join(folder, word) : word));
          const { code, complaint } = await runBuild(placed);
          assert.equal(code, 0, complaint);
        } else execFileSync(program, words, { cwd: folder });
      }
      for (const [, name] of doc.matchAll(/^\| `(layout\/|signet\.tar|signet-\w+\.cdx\.json)`/gm))
        assert.ok(existsSync(join(folder, 'dist/image', String(name))), String(name));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('names the image as it is called', () => {
    const named = commands.filter((each) => /signet[:@]|layout:/.test(each)).join('\n');
    assert.deepEqual([...new Set(named.match(/(?<=signet:|layout:)[\d.]+/g))], [version]);
  });

  it('tells every option that there is, and no other', async () => {
    const { complaint } = await runBuild(['--help']);
    const told = Array.from(doc.matchAll(/^\| `(--\w+)/gm), ([, option]) => option);
    assert.deepEqual(told.sort(), complaint.match(/--\w+/g)?.sort());
  });
});
