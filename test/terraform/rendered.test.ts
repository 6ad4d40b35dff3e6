import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { renderModuleDocs } from '../../setup/render-module-docs.mjs';
import { renderTerraform } from '../../setup/render-terraform.mjs';
import { MODULES } from './workspace.ts';

const ROOM = join(MODULES, 'vault');

describe('the READMEs of the modules', () => {
  it('tell their inputs and outputs as they are (node setup/render-module-docs.mjs writes it)', async () => {
    const rendered = renderModuleDocs();
    assert.equal(rendered.size, 2);
    for (const [file, text] of rendered) assert.equal(await readFile(file, 'utf8'), text, file);
  });
});

describe('what of the module vault is rendered from lib/vault-layout', () => {
  it('is in step with it (node setup/render-terraform.mjs writes it)', async () => {
    for (const [path, text] of renderTerraform())
      assert.equal(await readFile(join(ROOM, path), 'utf8'), text, path);
  });
  it('is all that there is of policies', async () => {
    const names = (await readdir(join(ROOM, 'policies'))).map((name) => `policies/${name}`);
    const rendered = [...renderTerraform().keys()].filter((path) => path.startsWith('policies/'));
    assert.deepEqual(names.sort(), rendered.sort());
  });
});
