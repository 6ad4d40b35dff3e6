import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { protocolFile, renderProtocol } from '../../../setup/render-provider-protocol.mjs';

describe('the description of the plugin protocol', () => {
  it('is the published one, rendered (node setup/render-provider-protocol.mjs writes it)', async () => {
    assert.equal(await readFile(protocolFile, 'utf8'), renderProtocol());
  });
});
