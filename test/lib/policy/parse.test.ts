import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { defectText, PolicyError, type PolicySource, parsePolicies } from '../../../lib/policy/index.ts';
import schema from '../../../lib/policy/schema.json' with { type: 'json' };

type Case = {
  readonly what: string;
  readonly with?: Record<string, unknown>;
  readonly without?: readonly string[];
  readonly defects: readonly string[];
  /** Refused by the parser, for a reason that the schema cannot tell. */
  readonly beyondSchema?: true;
};

const vectors = new URL('../../vectors/policy/documents.jsonl', import.meta.url);
const cases: Case[] = readFileSync(vectors, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));
const BASE = {
  name: 'orders-read',
  level: 'application',
  target: 'spiffe://example.org/ns/shop/sa/orders',
  effect: 'allow',
  mode: 'enforce',
  when: { caller: { is: 'spiffe://example.org/ns/shop/sa/web' } },
};

function documentOf({ with: added = {}, without = [] }: Case): Record<string, unknown> {
  const entries = Object.entries({ ...BASE, ...added }).filter(([key]) => !without.includes(key));
  return Object.fromEntries(entries);
}

/** Where the defects are, as `file#pointer`; empty when the set is accepted. */
function defectsOf(...sources: PolicySource[]): string[] {
  try {
    parsePolicies(sources);
    return [];
  } catch (error) {
    assert.ok(error instanceof PolicyError, `${error}`);
    assert.equal(error.code, 'POLICY_INVALID');
    return error.defects.map(({ file, pointer }) => `${file}#${pointer}`);
  }
}
const file = (name: string, value: unknown): PolicySource => ({ file: name, text: JSON.stringify(value) });
const text = (text: string): PolicySource => ({ file: 'f', text });

describe('policy documents', () => {
  const accepts = new Ajv2020({ strict: true, allErrors: true }).compile(schema);
  const known = ['what', 'with', 'without', 'defects', 'beyondSchema'];

  for (const vector of cases) {
    it(`${vector.defects.length === 0 ? 'accepts' : 'refuses'} ${vector.what}, as the schema does`, () => {
      assert.deepEqual(
        Object.keys(vector).filter((key) => !known.includes(key)),
        [],
      );
      const document = documentOf(vector);
      assert.deepEqual(
        defectsOf(file('f', document)).sort(),
        vector.defects.map((pointer) => `f#${pointer}`).sort(),
      );
      assert.equal(accepts(document), vector.defects.length === 0 || vector.beyondSchema === true);
      assert.equal(accepts([document]), accepts(document));
      assert.equal(accepts({ policies: [document] }), accepts(document));
    });
  }

  for (const operator of ['is', 'starts', 'like']) {
    it(`accepts a path of 2,048 characters for ${operator} and no longer one, as the schema does`, () => {
      const document = (length: number) => ({
        ...BASE,
        when: { path: { [operator]: '/'.padEnd(length, 'a') } },
      });
      assert.deepEqual([defectsOf(file('f', document(2048))), accepts(document(2048))], [[], true]);
      assert.deepEqual(
        [defectsOf(file('f', document(2049))), accepts(document(2049))],
        [[`f#/when/path/${operator}`], false],
      );
    });
  }

  it('gives documents whose every part is understood', () => {
    const [document] = parsePolicies([file('f', BASE)]);
    assert.equal(document?.target.toString(), BASE.target);
    assert.deepEqual(document?.when, {
      kind: 'predicate',
      attribute: 'caller',
      operator: 'is',
      values: ['spiffe://example.org/ns/shop/sa/web'],
      wanted: 'spiffe://example.org/ns/shop/sa/web',
    });
  });

  it('reads a document, an array and a set object, and pointers lead into each', () => {
    const bad = { ...BASE, name: 'x', mode: 'off' };
    assert.equal(
      parsePolicies([
        file('a', BASE),
        file('b', [{ ...BASE, name: 'b' }]),
        file('c', { $schema: 's', policies: [{ ...BASE, name: 'c' }] }),
      ]).length,
      3,
    );
    assert.deepEqual(defectsOf(file('a', bad), file('b', [BASE, bad]), file('c', { policies: [bad] })), [
      'a#/mode',
      'b#/1/mode',
      'c#/policies/0/mode',
    ]);
    assert.deepEqual(parsePolicies([file('a', []), file('b', { policies: [] })]), []);
  });

  it('takes what is declared again with the same members, and nothing else that is declared again', () => {
    const sets = { a: ['x', '$b'], b: ['y'] };
    const relations = { knows: { x: ['$a'] } };
    assert.deepEqual(defectsOf(file('a', { sets, relations }), file('b', { sets, relations })), []);
    assert.deepEqual(
      defectsOf(
        file('a', { sets, relations }),
        file('b', { sets: { a: ['x'], b: ['y'] }, relations: { knows: { x: [] } } }),
      ),
      ['b#/sets/a', 'b#/relations/knows'],
    );
  });

  for (const [what, source, want] of [
    ['text that is not JSON', text('{"name": }'), ['f#']],
    ['text that ends too early', text('[{'), ['f#']],
    ['an empty file', text(''), ['f#']],
    ['a byte order mark', text(`\ufeff${JSON.stringify(BASE)}`), ['f#']],
    ['null', text('null'), ['f#']],
    ['a number in an array', text('[7]'), ['f#/0']],
    ['a set object with another member', file('f', { policies: [], version: 1 }), ['f#/version']],
    ['a set object whose policies are no array', file('f', { policies: BASE }), ['f#/policies']],
    [
      '__proto__ as a field',
      text(JSON.stringify(BASE).replace('{', '{"__proto__":{"mode":"enforce"},')),
      ['f#/__proto__'],
    ],
    [
      '__proto__ in place of a field',
      text(JSON.stringify({ ...BASE, mode: undefined }).replace('{', '{"__proto__":{"mode":"enforce"},')),
      ['f#/__proto__', 'f#/mode'],
    ],
    [
      '__proto__ as an attribute',
      text(JSON.stringify(BASE).replace('"caller"', '"__proto__"')),
      ['f#/when/__proto__'],
    ],
    [
      'a member twice',
      text(JSON.stringify(BASE).replace('"effect":"allow"', '"effect":"deny","effect":"allow"')),
      ['f#/effect'],
    ],
    [
      'a member twice, once in escapes',
      text(JSON.stringify(BASE).replace('"effect":"allow"', '"\\u0065ffect":"deny","effect":"allow"')),
      ['f#/effect'],
    ],
    [
      'a member twice deep inside',
      text(
        JSON.stringify([BASE, { ...BASE, name: 'b' }]).replace(/"is":(?=[^,]*,*[^,]*$)/, '"is":"x","is":'),
      ),
      ['f#/1/when/caller/is'],
    ],
    [
      'members of one name in different objects, and in text',
      text(JSON.stringify({ policies: [BASE, { ...BASE, name: 'b', $schema: '{"a":1,"a":2}, "' }] })),
      [],
    ],
    [
      'conditions nested 17 deep',
      file('f', { ...BASE, when: nested(17) }),
      [`f#/when${'/not'.repeat(16)}/not`],
    ],
    ['conditions nested 16 deep', file('f', { ...BASE, when: nested(16) }), []],
    [
      'any and all nested 16 deep',
      file('f', { ...BASE, when: nested(8, (when) => ({ any: [{ all: [when] }] })) }),
      [],
    ],
    ['256 branches', file('f', { ...BASE, when: { any: Array.from({ length: 256 }, () => BASE.when) } }), []],
    [
      '1,024 values',
      file('f', { ...BASE, when: { path: { in: Array.from({ length: 1024 }, (_, i) => `/${i}`) } } }),
      [],
    ],
    [
      '10,000 documents',
      file(
        'f',
        Array.from({ length: 10_000 }, (_, i) => ({ ...BASE, name: `n${i}` })),
      ),
      [],
    ],
    [
      '257 branches',
      file('f', { ...BASE, when: { any: Array.from({ length: 257 }, () => BASE.when) } }),
      ['f#/when/any'],
    ],
    [
      '1,025 values',
      file('f', { ...BASE, when: { path: { in: Array.from({ length: 1025 }, (_, i) => `/${i}`) } } }),
      ['f#/when/path/in'],
    ],
    [
      '10,001 documents',
      file(
        'f',
        Array.from({ length: 10_001 }, (_, i) => ({ ...BASE, name: `n${i}` })),
      ),
      ['f#'],
    ],
    ['a file of 8,388,608 characters', text(JSON.stringify(BASE).padEnd(8 * 1024 * 1024)), []],
    ['a file of one more', text(JSON.stringify(BASE).padEnd(8 * 1024 * 1024 + 1)), ['f#']],
    ['a thousand arrays in one another', text('['.repeat(100_000) + ']'.repeat(100_000)), ['f#/0']],
  ] as [string, PolicySource, string[]][]) {
    it(`${want.length === 0 ? 'accepts' : 'refuses'} ${what}`, () =>
      assert.deepEqual(defectsOf(source), want));
  }

  it('refuses one name twice for one target, in any file, and accepts it for two targets', () => {
    const other = { ...BASE, target: 'spiffe://example.org/ns/shop/sa/web' };
    assert.deepEqual(defectsOf(file('a', BASE), file('b', [other, BASE])), ['b#/1/name']);
    assert.deepEqual(defectsOf(file('a', BASE), file('b', [other])), []);
  });

  it('says what was found and what was expected, and never quotes text that is not a policy', () => {
    const read = (source: PolicySource) => {
      try {
        parsePolicies([source]);
        return '';
      } catch (error) {
        return (error as PolicyError).defects.map(defectText).join('\n');
      }
    };
    assert.equal(
      read(file('p.json', { ...BASE, when: { path: { equals: 'x' } } })),
      'p.json#/when/path/equals: found "equals", expected "is", "in", "starts", "like" or "matches"',
    );
    assert.equal(
      read(file('p.json', { ...BASE, level: undefined })),
      'p.json#/level: found nothing, expected "root", "business-unit" or "application"',
    );
    const secret = read({ file: 'k', text: '-----BEGIN PRIVATE KEY-----\nMIGH' });
    assert.match(secret, /^k#: found text that is not JSON in line 1, column 2, expected JSON$/);
    assert.ok(read(file('p.json', { ...BASE, name: 'A'.repeat(500) })).length < 200);
  });
});

function nested(depth: number, wrap = (when: unknown): unknown => ({ not: when })): unknown {
  return Array.from({ length: depth }).reduce(wrap, BASE.when as unknown);
}
