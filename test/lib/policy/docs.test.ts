import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { PolicyError, parsePolicies, readPolicies } from '../../../lib/policy/index.ts';
import schema from '../../../lib/policy/schema.json' with { type: 'json' };
import { TARGET } from './support.ts';

const doc = await readFile(new URL('../../../docs/policy.md', import.meta.url), 'utf8');
const examples = Array.from(doc.matchAll(/^```json\n(.*?)^```$/gms), ([, text = '']) => text);

/** Of the table whose first column is headed `first`: the words in two columns of each row. */
function table(first: string): [string[], string[]][] {
  const lines = doc
    .slice(doc.indexOf(`\n| ${first} |`))
    .trimStart()
    .split('\n');
  const rows = lines.slice(
    2,
    lines.findIndex((line) => !line.startsWith('|')),
  );
  const words = (cell = '') => Array.from(cell.matchAll(/`([^`]+)`/g), ([, word = '']) => word);
  return rows.map((row) => {
    const cells = row.split('|');
    return [words(cells[1]), words(cells[2])];
  });
}

/** The words that the parser would have taken in place of one that it does not know. */
function expectedFor(when: (unknown: object) => object): string[] {
  const rule = { name: 'r', level: 'application', target: TARGET, effect: 'allow', mode: 'enforce' };
  const set = { relations: { 'a-relation': {} }, policies: [{ ...rule, when: when({ unknown: 1 }) }] };
  try {
    parsePolicies([{ file: 'f', text: JSON.stringify(set) }]);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return Array.from(error.defects[0]!.expected.matchAll(/"([^"]+)"/g), ([, word = '']) => word);
  }
  throw new Error('it was taken');
}
const operatorsOf = (attribute: string) =>
  attribute.startsWith('path.')
    ? expectedFor((unknown) => ({ all: [{ path: { like: '/{id}' } }, { 'path.id': unknown }] }))
    : expectedFor((unknown) => ({ [attribute.replace('<name>', '1')]: unknown }));

describe('docs/policy.md', () => {
  const accepts = new Ajv2020({ strict: true }).compile(schema);

  it('has examples that are policies, to the parser and to the schema', async () => {
    assert.ok(examples.length >= 5, `${examples.length}`);
    for (const text of examples) {
      assert.ok((await readPolicies([{ file: 'docs/policy.md', text }])).length > 0);
      assert.ok(accepts(JSON.parse(text)), text);
    }
    const together = examples.map((text, i) => ({ file: `${i}`, text }));
    assert.ok((await readPolicies(together)).length >= examples.length);
  });

  it('names every attribute with its operators, and no other', () => {
    const rows = table('attribute').filter(([[name]]) => name !== 'relation');
    const joins = ['all', 'any', 'not', 'relation'];
    assert.deepEqual(
      rows.flatMap(([names]) => names).sort(),
      expectedFor((unknown) => ({ unknown }))
        .filter((word) => !joins.includes(word))
        .sort(),
    );
    for (const [names, operators] of rows)
      for (const name of names) assert.deepEqual(operators, operatorsOf(name), name);
  });

  it('says what every operator is', () => {
    const used = new Set(table('attribute').flatMap(([, operators]) => operators));
    assert.deepEqual(
      table('operator')
        .flatMap(([names]) => names)
        .sort(),
      [...used].sort(),
    );
  });

  it('names every field of a document', () => {
    assert.deepEqual(
      [...table('field').flatMap(([names]) => names), '$schema'].sort(),
      Object.keys(schema.$defs.document.properties).sort(),
    );
  });
});
