import type { Decision } from './decision.ts';
import type { Effect, Level, Mode, Operand } from './document.ts';
import type { Found } from './shown.ts';

/** One predicate compared: which one, what it wanted, what the request had, and whether it was satisfied where it stands. */
export type Check = {
  /** JSON pointer into the document, e.g. `/when/all/0/caller/is`. */
  readonly pointer: string;
  readonly attribute: string;
  readonly operator: string;
  /** True below an odd number of `not`: then it is satisfied when the comparison fails. */
  readonly negated: boolean;
  /** As the author wrote it; not shown where it might be a secret. */
  readonly wanted: Operand;
  /** What the request had; null for nothing. `(present, not shown)` where it might be a secret. */
  readonly found: Found;
  /** What the other attribute was, where `wanted` names one. */
  readonly other?: Found;
  readonly ok: boolean;
};

export type RuleJudgement = {
  readonly rule: string;
  readonly level: Level;
  readonly effect: Effect;
  readonly mode: Mode;
  readonly matched: boolean;
  /** Every predicate of the rule, in document order. */
  readonly checks: readonly Check[];
  /** The fewest predicates that would have had to be satisfied as well; empty when it matched. */
  readonly unmet: readonly Check[];
};

export type Explanation = {
  readonly decision: Decision;
  /** Every rule of the target: those that matched first, then by how little was missing. */
  readonly considered: readonly RuleJudgement[];
  /** On a denial for want of a rule: the enforced allow rule that came nearest. Null when there is none. */
  readonly nearest: RuleJudgement | null;
  /** For people; several lines, no trailing line break. */
  readonly text: string;
};
