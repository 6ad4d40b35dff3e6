import type { CompiledPolicy } from './compile.ts';
import type { Effect, Level, Mode } from './document.ts';
import type { Decision, PolicyRequest } from './evaluate.ts';

/** One predicate compared: which one, what it wanted, what the request had, and whether it held where it stands. */
export type Check = {
  /** JSON pointer into the document, e.g. `/when/all/0`. */
  readonly pointer: string;
  readonly attribute: string;
  readonly operator: string;
  /** True below an odd number of `not`. */
  readonly negated: boolean;
  readonly wanted: string | readonly string[];
  readonly found: string;
  readonly ok: boolean;
};
export type RuleJudgement = {
  readonly rule: string;
  readonly level: Level;
  readonly effect: Effect;
  readonly mode: Mode;
  readonly matched: boolean;
  readonly checks: readonly Check[];
};
export type Explanation = {
  readonly decision: Decision;
  /** Every rule of the target, the deciding ones first. */
  readonly considered: readonly RuleJudgement[];
  /** On a denial for want of a rule: the allow rule with the fewest unmet predicates. */
  readonly nearest: { readonly rule: string; readonly unmet: readonly Check[] } | null;
  /** For people; several lines, no trailing line break. */
  readonly text: string;
};
export declare function explain(policy: CompiledPolicy, request: PolicyRequest): Explanation;
