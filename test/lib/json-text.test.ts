import assert from 'node:assert/strict';
import { readJson } from '../../lib/json-text.ts';

describe('JSON text with members that an object has twice', () => {
  const text = `${'{"a":'.repeat(1_000)}{${Array(900).fill('"b":1').join()}}${'}'.repeat(1_000)}`;

  it('names all of them, or no more than are asked for', () => {
    const repeated = (most?: number) => {
      const json = readJson(text, most);
      assert.ok(json.ok);
      return json.repeated;
    };
    assert.equal(repeated().length, 899);
    assert.deepEqual(repeated(1), [`${'/a'.repeat(1_000)}/b`]);
  });
});
