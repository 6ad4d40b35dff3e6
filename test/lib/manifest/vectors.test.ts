import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'mocha';
import { DeliveryError, verifyDelivery, verifyDenylist } from '../../../lib/manifest/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';

const url = new URL('../../vectors/manifest/delivery.json', import.meta.url);
const { now, root, id, policies, denylist } = JSON.parse(await readFile(url, 'utf8'));

/** What was published once has to be understood by every later version. */
describe('what a Vault signed', () => {
  const bundle = {
    ...{ trustDomain: 'example.org', sequence: 0, refreshHintSeconds: 0 },
    authorities: [Buffer.from(root, 'base64')],
  };
  const sealed = ({ text, signature, chain }: typeof policies) => ({
    ...{ text, signature },
    chainDer: chain.map((der: string) => Buffer.from(der, 'base64')),
  });
  const take = (at: string) =>
    verifyDelivery(sealed(policies), policies.documents, {
      ...{ bundle, now: new Date(at), id: parseSpiffeId(id), after: 0 },
    });

  it('is verified: policies', () => {
    const { manifest, documents } = take(now);
    assert.deepEqual([manifest.version, manifest.documents.length], [1, 2]);
    assert.deepEqual(
      documents.map(({ name }) => name),
      ['read'],
    );
  });
  it('is verified: the deny-list', () => {
    const list = verifyDenylist(sealed(denylist), { bundle, now: new Date(now) }, 0);
    assert.deepEqual([list.ids, list.serials], [['spiffe://example.org/ns/shop/sa/web'], ['3a:0f']]);
  });
  it('is refused when its certificate is over', () => {
    const later = new Date(new Date(now).getTime() + 366 * 24 * 3_600_000).toISOString();
    assert.throws(
      () => take(later),
      (error) => error instanceof DeliveryError && error.code === 'manifest_chain',
    );
  });
});
