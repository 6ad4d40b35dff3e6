import assert from 'node:assert/strict';
import { ALLOW_WEB, ORDERS } from '../support.ts';
import { world } from './world.ts';

const DENY = {
  ...{ name: 'no-evil', level: 'root', target: ORDERS, effect: 'deny', mode: 'enforce' },
  when: { 'header.x-tenant': { is: 'evil' } },
};
const ONLY_GOOD = { ...ALLOW_WEB, when: { 'header.x-tenant': { is: 'good' } } };
const UNNAMED = { ...ALLOW_WEB, when: { 'header.x-tenant': { exists: false } } };

async function statusOf(documents: readonly object[], ...lines: string[]): Promise<number> {
  await using w = await world({ documents });
  const client = await w.dial();
  client.send(`GET /orders HTTP/1.1\r\nhost: orders\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`);
  return Number((await client.hears('\r\n\r\n')).slice(9, 12));
}

describe('a header that policy asks of', () => {
  it('is one value as it is', async () => {
    assert.equal(await statusOf([ALLOW_WEB, DENY], 'x-tenant: good'), 200);
    assert.equal(await statusOf([ALLOW_WEB, DENY], 'x-tenant: evil'), 403);
    assert.equal(await statusOf([ONLY_GOOD], 'x-tenant: good'), 200);
  });

  it('is each of its values where it comes twice: apps read the first, the last, or both', async () => {
    for (const lines of [
      ['x-tenant: evil', 'x-tenant: good'],
      ['x-tenant: good', 'X-Tenant: evil'],
      ['x-tenant: evil', 'x-tenant: evil'],
    ]) {
      assert.equal(await statusOf([ALLOW_WEB, DENY], ...lines), 403, lines.join());
      assert.equal(await statusOf([ONLY_GOOD], ...lines), 403, lines.join());
    }
  });

  it('is not told from one that an app may take for it', async () => {
    for (const name of ['x_tenant', 'X_Tenant', 'x.tenant']) {
      assert.equal(await statusOf([ALLOW_WEB, DENY], `${name}: evil`), 403, name);
      assert.equal(await statusOf([ONLY_GOOD], `${name}: good`), 403, name);
      assert.equal(await statusOf([UNNAMED], `${name}: evil`), 403, name);
    }
  });
});
