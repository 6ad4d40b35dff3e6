import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  type Entry,
  entryRef,
  matchEntries,
  overlapping,
  parseEntry,
  selectors,
} from '../../../lib/attestation/index.ts';

function entry(
  tenant: string,
  name: string,
  match: Record<string, string>,
  state: Entry['state'] = 'active',
): Entry {
  return parseEntry(
    { tenant, name, match, spiffe_id: `spiffe://example.org/ns/${name}`, ttl: '15m', state },
    { trustDomain: 'example.org' },
  );
}

const pod = selectors({ 'k8s:ns': 'shop', 'k8s:sa': 'orders', 'k8s:image': ['sha256:1', 'sha256:2'] });
const broad = entry('acme', 'broad', { 'k8s:ns': 'shop' });
const narrow = entry('acme', 'narrow', { 'k8s:ns': 'shop', 'k8s:sa': 'orders' });

describe('matchEntries', () => {
  it('takes the entry with most selectors', () => {
    const outcome = matchEntries([broad, narrow], pod);
    assert.equal(outcome.kind === 'matched' && outcome.entry.name, 'narrow');
  });

  it('tells for every entry which selector differed', () => {
    const other = entry('acme', 'other', { 'k8s:ns': 'shop', 'k8s:sa': 'billing' });
    const outcome = matchEntries([other], pod);
    assert.equal(outcome.kind, 'none');
    assert.deepEqual(outcome.considered, [
      {
        entry: 'acme/other',
        state: 'active',
        matched: false,
        differs: { selector: 'k8s:sa', wanted: 'billing', found: ['orders'] },
      },
    ]);
  });

  it('refuses two that tie', () => {
    const twin = entry('acme', 'twin', { 'k8s:ns': 'shop', 'k8s:image': 'sha256:2' });
    assert.equal(matchEntries([narrow, twin], pod).kind, 'ambiguous');
  });

  it('refuses when an unrelated tenant matches too, however many selectors it names', () => {
    const thief = entry('mallory', 'more', { 'k8s:ns': 'shop', 'k8s:sa': 'orders', 'k8s:image': 'sha256:1' });
    assert.equal(matchEntries([narrow, thief], pod).kind, 'ambiguous');
    assert.equal(matchEntries([thief, narrow], pod).kind, 'ambiguous');
  });

  it('refuses a host that one tenant knows by its key and another by its CA', () => {
    const host = selectors({
      'ssh-host:key': 'SHA256:x',
      'ssh-host:ca': 'SHA256:y',
      'ssh-host:principal': 'z',
    });
    const byKey = entry('acme', 'key', { 'ssh-host:key': 'SHA256:x' });
    const byCa = entry('mallory', 'ca', { 'ssh-host:ca': 'SHA256:y', 'ssh-host:principal': 'z' });
    assert.equal(matchEntries([byKey, byCa], host).kind, 'ambiguous');
  });

  it('lets a tenant below narrow what a tenant above says', () => {
    const below = entry('acme/shop', 'below', { 'k8s:ns': 'shop', 'k8s:sa': 'orders' });
    const outcome = matchEntries([broad, below], pod);
    assert.equal(outcome.kind === 'matched' && entryRef(outcome.entry), 'acme/shop/below');
  });

  it('does not fall through a disabled entry to a broader one', () => {
    const disabled = entry('acme', 'narrow', narrow.match, 'disabled');
    assert.equal(matchEntries([broad, disabled], pod).kind, 'disabled');
  });

  it('does not see an entry that is still being written', () => {
    const pending = entry('acme', 'pending', narrow.match, 'pending');
    const outcome = matchEntries([pending], pod);
    assert.deepEqual([outcome.kind, outcome.considered.length], ['none', 0]);
  });

  it('nothing registered matches nobody', () => assert.equal(matchEntries([], pod).kind, 'none'));
});

describe('overlapping', () => {
  const rows: [string, Entry, Entry, boolean][] = [
    ['the same selectors', narrow, entry('acme', 'b', narrow.match), true],
    ['equal weight, different keys', narrow, entry('acme', 'b', { 'k8s:ns': 'shop', 'k8s:pod': 'x' }), true],
    [
      'equal weight, told apart by a value',
      narrow,
      entry('acme', 'b', { 'k8s:ns': 'shop', 'k8s:sa': 'web' }),
      false,
    ],
    ['more selectors, same tenant', broad, narrow, false],
    ['more selectors, unrelated tenant', broad, entry('mallory', 'b', narrow.match), true],
    ['more selectors, tenant below', broad, entry('acme/shop', 'b', narrow.match), false],
    ['a tenant whose name only begins alike', broad, entry('acme-2', 'b', narrow.match), true],
    [
      'another method',
      narrow,
      entry('mallory', 'b', { 'ssh-host:key': 'SHA256:x', 'ssh-host:ca': 'y' }),
      false,
    ],
    [
      'a selector that may hold several values does not tell apart',
      entry('acme', 'a', { 'ssh-host:principal': 'a' }),
      entry('acme', 'b', { 'ssh-host:principal': 'b' }),
      true,
    ],
  ];
  for (const [what, a, b, want] of rows) {
    it(`${what}: ${want ? 'refused' : 'fine'}`, () => {
      assert.deepEqual(overlapping(a, [b]).length > 0, want);
      assert.deepEqual(overlapping(b, [a]).length > 0, want);
    });
  }
  it('an entry does not overlap itself', () => assert.deepEqual(overlapping(narrow, [narrow]), []));
});
