import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { renderDelegation } from '../../setup/render-delegation.mjs';
import { renderModuleDocs } from '../../setup/render-module-docs.mjs';
import { renderTerraform } from '../../setup/render-terraform.mjs';
import { MODULES } from './workspace.ts';

const ROOM = join(MODULES, 'vault');

describe('the READMEs of the modules', () => {
  it('tell their inputs and outputs as they are (node setup/render-module-docs.mjs writes it)', async () => {
    const rendered = renderModuleDocs();
    assert.equal(rendered.size, 3);
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

describe('what of the module delegation is rendered from lib/vault-layout', () => {
  it('is in step with it (node setup/render-delegation.mjs writes it), and all that there is', async () => {
    const room = join(MODULES, 'delegation');
    for (const [path, text] of renderDelegation())
      assert.equal(await readFile(join(room, path), 'utf8'), text, path);
    const names = (await readdir(join(room, 'policies'))).map((name) => `policies/${name}`);
    const rendered = [...renderDelegation().keys()].filter((path) => path.startsWith('policies/'));
    assert.deepEqual(names.sort(), rendered.sort());
  });
});
