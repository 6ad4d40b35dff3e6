import type { IdPattern, SpiffeId } from '../spiffe/index.ts';
import type { PathTemplate } from './path.ts';

/** From the strongest down: of two rules of one effect that match, the decision names the one further left. */
export const LEVELS = ['root', 'business-unit', 'application'] as const;
export const EFFECTS = ['allow', 'deny'] as const;
export const MODES = ['enforce', 'dry-run'] as const;
export type Level = (typeof LEVELS)[number];
export type Effect = (typeof EFFECTS)[number];
export type Mode = (typeof MODES)[number];

/** A policy document in which everything is understood. Made only by `parsePolicies`. */
export type PolicyDocument = {
  readonly name: string;
  readonly level: Level;
  readonly target: SpiffeId;
  readonly effect: Effect;
  readonly mode: Mode;
  readonly when: Condition;
};

export type Condition =
  | { readonly kind: 'all' | 'any'; readonly of: readonly Condition[] }
  | { readonly kind: 'not'; readonly of: Condition }
  | Predicate;

/** One attribute compared with one operand. `wanted` is the operand as its author wrote it, for explanations. */
export type Predicate = { readonly kind: 'predicate'; readonly wanted: string | readonly string[] } & (
  | { readonly attribute: 'caller'; readonly operator: 'is' | 'in'; readonly values: readonly string[] }
  | { readonly attribute: 'caller'; readonly operator: 'like'; readonly pattern: IdPattern }
  | {
      readonly attribute: 'caller.trust_domain';
      readonly operator: 'is' | 'in';
      readonly values: readonly string[];
    }
  | { readonly attribute: 'method'; readonly operator: 'is' | 'in'; readonly values: readonly string[] }
  | { readonly attribute: 'path'; readonly operator: 'is' | 'in'; readonly values: readonly string[] }
  | { readonly attribute: 'path'; readonly operator: 'starts'; readonly prefix: string }
  | { readonly attribute: 'path'; readonly operator: 'like'; readonly template: PathTemplate }
);
