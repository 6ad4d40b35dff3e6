import type { Challenge } from './challenge.ts';
import type { Effect, Level, PolicyDocument } from './document.ts';

/** A dry-run rule whose condition held. It never changes the decision. */
export type DryRunHit = { readonly rule: string; readonly level: Level; readonly effect: Effect };

export type Permit = {
  readonly effect: 'allow';
  /** The rule that allowed it: of all that did, the one of the highest level, then the first by name. */
  readonly rule: string;
  readonly level: Level;
  readonly dryRun: readonly DryRunHit[];
  /** The effect if dry-run rules were enforced. */
  readonly wouldBe: Effect;
};

export type Denial = {
  readonly effect: 'deny';
  /** `no_rule`: nothing allowed it. `policy_denied`: the rule named denied it. */
  readonly code: 'policy_denied' | 'no_rule';
  readonly rule: string | null;
  readonly level: Level | null;
  readonly dryRun: readonly DryRunHit[];
  readonly wouldBe: Effect;
  /** What would let the request pass, as far as policy knows. */
  readonly challenge?: Challenge;
};

export type Decision = Permit | Denial;

export const NO_HITS: readonly DryRunHit[] = Object.freeze([]);
/** Nothing allowed it, and nothing denied it. */
export const NO_RULE: Denial = Object.freeze({
  effect: 'deny',
  code: 'no_rule',
  rule: null,
  level: null,
  dryRun: NO_HITS,
  wouldBe: 'deny',
});

/** What the rule `document` decides. `wouldBe`: the effect if the dry-run rules that hit were enforced. */
export function decided(
  { name, level, effect }: PolicyDocument,
  dryRun: readonly DryRunHit[],
  wouldBe: Effect,
  challenge?: Challenge,
): Decision {
  if (effect === 'allow') return { effect, rule: name, level, dryRun, wouldBe };
  const denial = { effect, code: 'policy_denied', rule: name, level, dryRun, wouldBe } as const;
  return challenge === undefined ? denial : { ...denial, challenge };
}
