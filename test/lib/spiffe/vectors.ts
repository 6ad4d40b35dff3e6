import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { SpiffeErrorCode } from '../../../lib/spiffe/index.ts';

type IdVector = { id: string } & ({ trust_domain: string; path: string } | Refusal);
type PatternVector = { pattern: string } & ({ matches: string[]; others: string[] } | Refusal);
type Refusal = { error: SpiffeErrorCode; why: string };

export const ID_VECTORS = read<IdVector>('ids', [
  ['id', 'trust_domain', 'path'],
  ['id', 'error', 'why'],
]);
export const PATTERN_VECTORS = read<PatternVector>('patterns', [
  ['pattern', 'matches', 'others'],
  ['pattern', 'error', 'why'],
]);

/** One case a line; a line that has not just the fields of one of `kinds` is fatal, so that none is passed over. */
function read<Vector extends object>(file: string, kinds: readonly (readonly string[])[]): Vector[] {
  const text = readFileSync(new URL(`../../vectors/spiffe/${file}.jsonl`, import.meta.url), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const vector: Vector = JSON.parse(line);
      const fields = Object.keys(vector).join();
      assert.ok(
        kinds.some((kind) => kind.join() === fields),
        `${file}: ${line}`,
      );
      return vector;
    });
}
