import type { IdPattern } from '../spiffe/index.ts';
import type { Challenge } from './challenge.ts';
import type { Relation } from './named-sets.ts';
import type { Network } from './network.ts';
import type { PathTemplate } from './path.ts';
import type { Regex } from './regex.ts';
import type { Target } from './target.ts';
import type { TimeWindow } from './time-window.ts';

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
  readonly target: Target;
  readonly effect: Effect;
  readonly mode: Mode;
  readonly when: Condition;
  /** Of a deny: what would let the request pass. */
  readonly challenge?: Challenge;
};

export type Condition =
  | { readonly kind: 'all' | 'any'; readonly of: readonly Condition[] }
  | { readonly kind: 'not'; readonly of: Condition }
  | Predicate;

/** One attribute compared with one operand. `wanted` is the operand as its author wrote it, for explanations. */
export type Predicate = { readonly kind: 'predicate'; readonly wanted: Operand } & Asked & Comparison;

/** An attribute by its name in the language; `at`: for a placeholder of the path, the segment that it stands for. */
export type Asked = { readonly attribute: string; readonly at?: number };

/** What a text may be equal to. */
export type Scalar = string | number | boolean;
export type Operand = Scalar | readonly Scalar[] | { readonly [member: string]: Operand };

/** `other`: compared with another attribute of the same request. */
export type Comparison =
  | {
      readonly operator: 'is' | 'in';
      readonly values: readonly Scalar[];
      /** Of a named set of callers. */
      readonly patterns?: readonly IdPattern[];
    }
  | { readonly operator: 'is' | 'has'; readonly other: Asked }
  | { readonly operator: 'has' | 'has_all' | 'has_any'; readonly values: readonly string[] }
  | { readonly operator: 'like'; readonly pattern: IdPattern }
  | { readonly operator: 'like'; readonly template: PathTemplate }
  | { readonly operator: 'starts'; readonly prefix: string }
  | { readonly operator: 'below' | 'above'; readonly bound: number }
  | { readonly operator: 'before' | 'after'; readonly instant: number }
  | { readonly operator: 'between'; readonly window: TimeWindow }
  | { readonly operator: 'is' | 'cidr'; readonly networks: readonly Network[] }
  | { readonly operator: 'matches'; readonly regex: Regex }
  | { readonly operator: 'exists'; readonly present: boolean }
  | {
      readonly operator: 'related';
      /** By its name. */
      readonly relation: string;
      readonly pairs: Relation;
      readonly from: Asked;
      readonly to: Asked;
    };
