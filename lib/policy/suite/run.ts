import { isDeepStrictEqual } from 'node:util';
import type { CompiledPolicy } from '../compile.ts';
import type { Decision } from '../decision.ts';
import { evaluate } from '../evaluate.ts';
import { explain } from '../explain.ts';
import type { Coverage } from './coverage.ts';
import { policyRequest } from './request.ts';
import type { Case, Expected, Suite } from './suite.ts';

/** A case that came out otherwise. */
export type Failure = {
  readonly file: string;
  readonly pointer: string;
  readonly what: string;
  /** One line for each thing that differs: `outcome: expected "deny", found "allow"` */
  readonly differences: readonly string[];
  readonly explanation: string;
};

export type Outcome = { readonly passed: number; readonly failures: readonly Failure[] };

/** Judges every case of a suite by `policy`, and notes which rules had a part in it. */
export function runSuite(suite: Suite, policy: CompiledPolicy, coverage: Coverage): Outcome {
  const failures: Failure[] = [];
  for (const each of suite.cases) {
    const request = policyRequest(each.request, each.caller, each.user, suite.now);
    const decision = evaluate(policy, request);
    coverage.note(policy, decision);
    const differences = differencesOf(each.expected, decision);
    if (differences.length > 0)
      failures.push(failure(suite, each, differences, explain(policy, request).text));
  }
  return { passed: suite.cases.length - failures.length, failures };
}

function failure(
  suite: Suite,
  { pointer, what }: Case,
  differences: readonly string[],
  explanation: string,
): Failure {
  return { file: suite.file, pointer, what, differences, explanation };
}

function differencesOf(expected: Expected, decision: Decision): string[] {
  const found = {
    outcome: decision.effect,
    rule: decision.rule,
    dryRun: decision.dryRun.map(({ rule }) => rule),
    challenge: challengeOf(decision),
  };
  const names = {
    outcome: 'outcome',
    rule: 'rule',
    dryRun: 'dry-run rules',
    challenge: 'challenge',
  } as const;
  return (Object.keys(names) as (keyof typeof names)[])
    .filter(
      (key) => expected[key] !== undefined && !isDeepStrictEqual(sorted(expected[key]), sorted(found[key])),
    )
    .map(
      (key) =>
        `${names[key]}: expected ${JSON.stringify(expected[key])}, found ${JSON.stringify(found[key])}`,
    );
}

/** None, unless it is a denial that has one. */
function challengeOf(decision: Decision): Expected['challenge'] {
  return (decision.effect === 'deny' ? decision.challenge : null) ?? null;
}

function sorted(value: unknown): unknown {
  return Array.isArray(value) ? value.toSorted() : value;
}
