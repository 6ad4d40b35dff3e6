import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { folderOf } from '../../broker/audit/log-name.ts';
import { parseSpiffeId } from '../../lib/spiffe/index.ts';

describe('the folder of the logs of a workload', () => {
  it('is that of no other, not even of one that is named like the folder of a long ID', () => {
    const path = Array.from({ length: 30 }, (_, i) => `part-${i}-of-many`).join('/');
    const digest = hash('sha256', path.replaceAll('/', '+'));
    const ids = [path, `sha256/${digest}`, 'ns/shop/sa/web', 'ns/shop/sa-web'];
    const folders = ids.map((each) => folderOf(parseSpiffeId(`spiffe://example.org/${each}`)));
    assert.equal(new Set(folders).size, ids.length);
    for (const folder of folders) assert.doesNotMatch(folder, /\/|^\.{1,2}$/);
  });
});
