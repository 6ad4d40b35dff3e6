import assert from 'node:assert/strict';
import fc from 'fast-check';
import { userFields } from '../../../lib/assertion/index.ts';
import { user } from '../../sidecar/assertion/world.ts';

/** Reads a string or a display string of RFC 9651. */
function read(text: string): string {
  if (text.startsWith('"')) return text.slice(1, -1).replace(/\\(.)/g, '$1');
  assert.ok(text.startsWith('%"'));
  const bytes = text
    .slice(2, -1)
    .replace(/%([0-9a-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString();
}

const ITEM = /^("(?:[^"\\]|\\.)*"|%"[^"]*");iss=("(?:[^"\\]|\\.)*"|%"[^"]*")$/;

describe('user fields', () => {
  it('hold any names in one line, and no two users in the same', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 100 }),
        fc.string({ unit: 'grapheme', maxLength: 100 }),
        (subject, issuer) => {
          const { user: field, left } = userFields(user({ subject, issuer }), []);
          assert.match(field!, /^[\x20-\x7e]+$/);
          const [, first, second] = ITEM.exec(field!) ?? [];
          assert.deepEqual([read(first!), read(second!), left], [subject, issuer, 0]);
        },
      ),
      { seed: 5, numRuns: 2_000 },
    );
  });

  it('leave out what is no text', () => {
    assert.deepEqual(userFields(user({ subject: 'a\ud800' }), []), { user: null, claims: null, left: 1 });
  });

  it('hold any claims as JSON within their bound', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ maxLength: 20 }), fc.jsonValue()),
        fc.array(fc.string({ maxLength: 20 })),
        (claims, more) => {
          const chosen = [...new Set([...Object.keys(claims), ...more])];
          const { claims: text } = userFields(user({ claims }), chosen);
          if (text === null) return;
          assert.ok(Buffer.byteLength(text) <= 4_098);
          for (const [name, value] of Object.entries(JSON.parse(text)))
            assert.equal(JSON.stringify(value), JSON.stringify(claims[name]));
        },
      ),
      { seed: 5, numRuns: 2_000 },
    );
  });

  it('take the first of what is too much together', () => {
    const claims = Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [name, 'x'.repeat(1_000)]));
    const { claims: text, left } = userFields(user({ claims }), ['e', 'd', 'c', 'b', 'a']);
    assert.deepEqual([Object.keys(JSON.parse(text!)), left], [['e', 'd', 'c', 'b'], 1]);
  });
});
