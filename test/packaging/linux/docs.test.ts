import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { root } from '../../../setup/paths.mjs';
import { needPackageParts, runBuild } from './built.ts';

const doc = readFileSync(join(root, 'docs/packages.md'), 'utf8');
const commands = Array.from(doc.matchAll(/^```sh\n([\s\S]*?)^```$/gm), ([, block]) => String(block).trim());

describe('docs/packages.md', function () {
  this.timeout(120_000);

  it('has commands that run as they stand there', async function () {
    needPackageParts(this);
    // the first builds all, which packages.test.ts does; `npm run` would set up this clone first, and leave packages in it
    assert.equal(commands[0], 'npm run package');
    assert.equal(commands.length, 2);
    const [program, verb, name, , ...options] = String(commands[1]).split(' ');
    assert.deepEqual([program, verb, name], ['npm', 'run', 'package']);
    const folder = mkdtempSync(join(tmpdir(), 'signet-packages-docs-'));
    try {
      const { code, complaint } = await runBuild([...options, '--out', join(folder, 'packages')]);
      assert.equal(code, 0, complaint);
      for (const file of ['signet-amd64.cdx.json', 'signet-packages.json'])
        assert.ok(existsSync(join(folder, 'packages', file)), file);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
