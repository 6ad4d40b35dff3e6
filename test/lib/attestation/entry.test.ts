import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { entryRef, parseEntry, parseEntryRef, parseTenant } from '../../../lib/attestation/index.ts';
import { InputError } from '../../../lib/errors.ts';

const context = { trustDomain: 'example.org' };
const good = {
  tenant: 'acme/shop',
  name: 'orders',
  match: { 'ssh-host:key': 'SHA256:abc' },
  spiffe_id: 'spiffe://example.org/ns/shop/sa/orders',
  ttl: '15m',
};

describe('parseEntry', () => {
  it('reads an entry and fills what may be left out', () => {
    assert.deepEqual(parseEntry(good, context), {
      ...good,
      networks: [],
      federates_with: [],
      state: 'active',
    });
  });

  const bad: [string, unknown, RegExp][] = [
    ['a list', [], /not a JSON object/],
    ['null', null, /not a JSON object/],
    ['a field nobody knows', { ...good, tll: '1h' }, /\/tll is not a field/],
    ['a field with a slash in it', { ...good, 'a/b': 1 }, /\/a~1b is not a field/],
    ['no tenant', { ...good, tenant: undefined }, /\/tenant is missing/],
    ['an upper-case tenant', { ...good, tenant: 'Acme' }, /\/tenant/],
    ['a tenant with a dot', { ...good, tenant: 'acme.shop' }, /\/tenant/],
    ['a tenant five deep', { ...good, tenant: 'a/b/c/d/e' }, /\/tenant/],
    ['a tenant with an empty part', { ...good, tenant: 'acme//shop' }, /\/tenant/],
    ['a name with an underscore', { ...good, name: 'or_ders' }, /\/name/],
    ['a name that ends with a dash', { ...good, name: 'orders-' }, /\/name/],
    ['a name with a slash', { ...good, name: 'a/b' }, /\/name/],
    ['no selectors', { ...good, match: {} }, /\/match is empty/],
    ['selectors as a list', { ...good, match: ['ssh-host:key'] }, /\/match is not an object/],
    ['a selector that is not one', { ...good, match: { key: 'x' } }, /\/match\/key is not a selector/],
    ['a selector that is no string', { ...good, match: { 'k8s:ns': 7 } }, /\/match\/k8s:ns is not a string/],
    ['an empty selector', { ...good, match: { 'k8s:ns': '' } }, /\/match\/k8s:ns/],
    [
      'selectors of two methods',
      { ...good, match: { 'k8s:ns': 'a', 'ssh-host:key': 'b' } },
      /mixes k8s and ssh-host/,
    ],
    [
      'another trust domain',
      { ...good, spiffe_id: 'spiffe://other.org/ns/a/sa/b' },
      /not in the trust domain/,
    ],
    ['no path', { ...good, spiffe_id: 'spiffe://example.org' }, /\/spiffe_id/],
    ['an upper-case ID', { ...good, spiffe_id: 'spiffe://example.org/ns/Shop' }, /\/spiffe_id/],
    ['a star in the ID', { ...good, spiffe_id: 'spiffe://example.org/ns/*' }, /\/spiffe_id/],
    ['a dot-dot in the ID', { ...good, spiffe_id: 'spiffe://example.org/ns/..' }, /\/spiffe_id/],
    ['a trailing slash', { ...good, spiffe_id: 'spiffe://example.org/ns/' }, /\/spiffe_id/],
    ['a reserved ID', { ...good, spiffe_id: 'spiffe://example.org/signet/broker' }, /Signet's own/],
    [
      'a first segment from evidence',
      { ...good, spiffe_id: 'spiffe://example.org/{k8s:ns}/x' },
      /first path segment/,
    ],
    [
      'a brace joined to text',
      { ...good, spiffe_id: 'spiffe://example.org/ns/a-{k8s:ns}' },
      /whole path segment/,
    ],
    ['a brace left open', { ...good, spiffe_id: 'spiffe://example.org/ns/{k8s:ns' }, /\/spiffe_id/],
    [
      'a star pinned into the template',
      { ...good, match: { 'k8s:ns': '*' }, spiffe_id: 'spiffe://example.org/ns/{k8s:ns}' },
      /cannot stand in a SPIFFE ID/,
    ],
    [
      'upper case pinned into the template',
      { ...good, match: { 'k8s:ns': 'Shop' }, spiffe_id: 'spiffe://example.org/ns/{k8s:ns}' },
      /cannot stand in a SPIFFE ID/,
    ],
    ['a lifetime without a unit', { ...good, ttl: '15' }, /\/ttl/],
    ['a lifetime of nothing', { ...good, ttl: '0m' }, /\/ttl/],
    ['a network that is none', { ...good, networks: ['10.0.0.0/33'] }, /\/networks\/0/],
    ['a network with a comma', { ...good, networks: ['10.0.0.0/8,0.0.0.0/0'] }, /\/networks\/0/],
    ['a time without a zone', { ...good, appear_by: '2026-12-24T18:00:00' }, /\/appear_by/],
    ['a time of another zone', { ...good, appear_by: '2026-12-24T18:00:00+01:00' }, /\/appear_by/],
    ['a day that is in no calendar', { ...good, appear_by: '2026-02-30T00:00:00Z' }, /\/appear_by/],
    ['an hour that no day has', { ...good, appear_by: '2026-02-03T24:00:00Z' }, /\/appear_by/],
    ['no time', { ...good, appear_by: null }, /\/appear_by/],
    ['a state nobody knows', { ...good, state: 'enabled' }, /\/state/],
  ];
  for (const [what, value, message] of bad) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => parseEntry(value, context),
        (e) => e instanceof InputError && message.test(e.message),
      );
    });
  }

  for (const appear_by of ['2026-12-24T18:00:00Z', '2028-02-29T23:59:59.123456789Z'])
    it(`keeps the time ${appear_by} as it is written`, () =>
      assert.equal(parseEntry({ ...good, appear_by }, context).appear_by, appear_by));

  it('tells every defect at once', () => {
    assert.throws(
      () => parseEntry({ ...good, name: '-', ttl: 'x', match: {} }, context),
      (e) => e instanceof InputError && e.defects.map((d) => d.pointer).join() === '/name,/ttl,/match',
    );
  });

  it('keeps a __proto__ key out of its way', () => {
    const value = JSON.parse('{"__proto__":{"state":"active"},"tenant":"a"}');
    assert.throws(() => parseEntry(value, context), /__proto__ is not a field/);
  });
});

describe('names', () => {
  it('entryRef and parseEntryRef are each other’s way back', () => {
    assert.deepEqual(parseEntryRef(entryRef({ tenant: 'acme/shop', name: 'orders' })), {
      tenant: 'acme/shop',
      name: 'orders',
    });
  });
  for (const text of ['orders', '/orders', 'acme/', 'Acme/orders', '', 'a/b/c/d/e/f']) {
    it(`${JSON.stringify(text)} names no entry`, () => assert.equal(parseEntryRef(text), undefined));
  }
  it('a tenant is one to four names', () => {
    assert.equal(parseTenant('a/b/c/d'), 'a/b/c/d');
    assert.equal(parseTenant('a/b/c/d/e'), undefined);
  });
});
