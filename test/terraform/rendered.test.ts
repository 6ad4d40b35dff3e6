import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { renderModuleDocs } from '../../setup/render-module-docs.mjs';
import { renderTerraform } from '../../setup/render-terraform.mjs';
import { MODULES } from './workspace.ts';

describe('the READMEs of the modules', () => {
  it('tell their inputs and outputs as they are (node setup/render-module-docs.mjs writes it)', async () => {
    const rendered = renderModuleDocs();
    assert.equal(rendered.size, 3);
    for (const [file, text] of rendered) assert.equal(await readFile(file, 'utf8'), text, file);
  });
});

describe('what of the modules vault and delegation is rendered from lib/vault-layout', () => {
  it('is in step with it (node setup/render-terraform.mjs writes it)', async () => {
    for (const [path, text] of renderTerraform())
      assert.equal(await readFile(join(MODULES, path), 'utf8'), text, path);
  });
  for (const folder of ['vault/policies', 'delegation/rendered'])
    it(`is all that there is in ${folder}`, async () => {
      const names = (await readdir(join(MODULES, folder))).map((name) => `${folder}/${name}`);
      const rendered = [...renderTerraform().keys()].filter((path) => path.startsWith(`${folder}/`));
      assert.deepEqual(names.sort(), rendered.sort());
    });
});
