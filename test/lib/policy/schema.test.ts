import assert from 'node:assert/strict';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { PolicyError, readPolicies } from '../../../lib/policy/index.ts';
import schema from '../../../lib/policy/schema.json' with { type: 'json' };
import { NAMES, rules } from './arbitraries.ts';
import { TARGET } from './support.ts';

// biome-ignore lint/suspicious/noExplicitAny: JSON that is damaged on purpose
type Json = any;

/** What stands in for some value or name. */
const PIECES: readonly Json[] = [
  ...[
    '',
    'a',
    '*',
    '/',
    '/a//b',
    '/{id}',
    '/**',
    'GET',
    'get',
    '$people',
    '{user.subject}',
    '{x}',
    '10.0.0.0/8',
    '10.0.0.1/8',
  ],
  ...[
    'spiffe://example.org/ns/**',
    'spiffe://Example.org/a',
    'anonymous',
    'root',
    'deny',
    '[a',
    '(?=a)',
    'h2',
    '24:00',
    'UTC',
  ],
  ...[
    0,
    -1,
    1e300,
    0.5,
    true,
    null,
    [],
    ['a'],
    ['GET', 7],
    {},
    { is: 'a' },
    { from: '08:00', to: '09:00' },
    { scope: 'a  b' },
  ],
];
const NAMED = [
  'is',
  'in',
  'has',
  'has_all',
  'like',
  'starts',
  'below',
  'between',
  'exists',
  'cidr',
  'matches',
  'path',
  'query.',
  'query.a',
];
const MORE = [
  'caller.segment.17',
  'header.X',
  'header.x',
  'user',
  'all',
  'any',
  'not',
  'challenge',
  'name',
  '__proto__',
  'sets',
];

/** A copy in which what stands at the `at`-th place is another value, has another name, is gone, or is there twice. */
function damaged(value: Json, at: number, how: number, piece: Json, name: string): Json {
  let left = at;
  const copy = (each: Json): Json => {
    if (left-- === 0 && how === 0) return piece;
    if (Array.isArray(each)) {
      const all = each.map(copy);
      return left-- === 0 ? (how === 1 ? [...all, ...all.slice(0, 1)] : all.slice(1)) : all;
    }
    if (typeof each !== 'object' || each === null) return each;
    const entries = Object.entries(each).flatMap(([key, inner]): [string, Json][] => {
      const hit = left-- === 0;
      if (hit && how === 2) return [];
      return [[hit && how === 1 ? name : key, copy(inner)]];
    });
    return Object.fromEntries(entries);
  };
  return copy(value);
}

/** What the parser refuses and no schema can tell: names of sets and relations, placeholders, expressions and zones, and a rule's second name. */
const BEYOND = [
  /a set such as|^"\$|as every member of/,
  /path\.id|an attribute that is a text/,
  /a regular expression of RE2/,
  /another name than that of/,
  /no bits set after its prefix/,
  /a time zone such as/,
  /^"knows"$/,
];

describe('the schema of policies', () => {
  const accepts = new Ajv2020({ strict: true, allErrors: true }).compile(schema);

  it('takes what the parser takes, and of damaged policies refuses what the parser refuses', async () => {
    const seen = { taken: 0, refused: 0, beyond: 0 };
    const whole = rules.map((all) => ({
      ...NAMES,
      policies: all.slice(0, 2).map((rule) => ({ ...rule, target: TARGET })),
    }));
    await fc.assert(
      fc.asyncProperty(
        whole,
        fc.nat(60),
        fc.nat(2),
        fc.constantFrom(...PIECES),
        fc.constantFrom(...NAMED, ...MORE),
        async (set, at, how, piece, name) => {
          const value = damaged(set.policies, at, how, piece, name);
          const text = JSON.stringify({ ...NAMES, policies: value });
          const defects = await readPolicies([{ file: 'f', text }]).then(
            () => [],
            (error: unknown) => {
              assert.ok(error instanceof PolicyError, String(error));
              return error.defects;
            },
          );
          const beyond = defects.filter(({ expected }) => BEYOND.some((form) => form.test(expected)));
          const valid = accepts(JSON.parse(text));
          if (defects.length === 0) seen.taken++;
          else if (beyond.length < defects.length) seen.refused++;
          else {
            seen.beyond++;
            return;
          }
          assert.equal(
            valid,
            defects.length === 0,
            `${text}\n${JSON.stringify(defects)}\n${JSON.stringify(accepts.errors)}`,
          );
        },
      ),
      { numRuns: Number(process.env['SIGNET_POLICY_RUNS'] ?? 4000), seed: Number(process.env['SIGNET_POLICY_SEED'] ?? 7) },
    );
    assert.ok(seen.taken > 200 && seen.refused > 200 && seen.beyond < seen.refused, JSON.stringify(seen));
  });
});
