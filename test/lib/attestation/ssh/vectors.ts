import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { SshErrorCode, SshIdentity } from '../../../../lib/attestation/ssh/index.ts';

/** One line of the vector file: a signature made by `by`, and what it is worth at `now`. */
type Vector = {
  readonly name: string;
  readonly by: string;
  readonly now: string;
  readonly message: string;
  readonly armored: string;
} & ({ readonly identity: SshIdentity } | { readonly error: SshErrorCode });

const FIELDS = new Set(['name', 'by', 'now', 'message', 'armored', 'identity', 'error']);
const FILE = new URL('../../../vectors/ssh/signatures.jsonl', import.meta.url);

/** The vectors; an unknown field is fatal, so that none is passed over. */
export function readVectors(): Vector[] {
  const lines = readFileSync(FILE, 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const vector = JSON.parse(line, revive);
    for (const field of Object.keys(vector)) assert.ok(FIELDS.has(field), `unknown field ${field}`);
    assert.ok('identity' in vector !== 'error' in vector, line);
    return vector;
  });
}

function revive(key: string, value: unknown): unknown {
  return key === 'validAfter' || key === 'validBefore' ? new Date(value as string) : value;
}
