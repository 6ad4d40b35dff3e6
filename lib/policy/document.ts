import type { IdPattern, SpiffeId } from '../spiffe/index.ts';
import type { PathTemplate } from './path.ts';

export const LEVELS = ['root', 'business-unit', 'application'] as const;
export type Level = (typeof LEVELS)[number];
export type Effect = 'allow' | 'deny';
export type Mode = 'enforce' | 'dry-run';

/** A parsed policy document: everything in it is understood. Made only by `parsePolicies`. */
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

/** `wanted` is the operand as its author wrote it, for explanations. */
export type Predicate = { readonly kind: 'predicate'; readonly wanted: string | readonly string[] } & (
  | { readonly attribute: 'caller'; readonly operator: 'is' | 'in'; readonly ids: readonly string[] }
  | { readonly attribute: 'caller'; readonly operator: 'like'; readonly pattern: IdPattern }
  | {
      readonly attribute: 'caller.trust_domain';
      readonly operator: 'is' | 'in';
      readonly names: readonly string[];
    }
  | { readonly attribute: 'method'; readonly operator: 'is' | 'in'; readonly methods: readonly string[] }
  | { readonly attribute: 'path'; readonly operator: 'is' | 'in'; readonly paths: readonly string[] }
  | { readonly attribute: 'path'; readonly operator: 'starts'; readonly prefix: string }
  | { readonly attribute: 'path'; readonly operator: 'like'; readonly template: PathTemplate }
);
