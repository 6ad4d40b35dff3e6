import type { Value } from './values.ts';

export type Type =
  | 'string'
  | 'bool'
  | 'number'
  /** Any: the value brings its type (`Dynamic`). Not within lists, sets and maps. */
  | 'dynamic'
  | { readonly list: Type }
  | { readonly set: Type }
  | { readonly map: Type }
  | { readonly object: { readonly [name: string]: Type } }
  /** A list of a fixed length, each element of its own type. What a person writes in brackets is one, where any type may stand. */
  | { readonly tuple: readonly Type[] };

/** Of a resource, a data source, an ephemeral resource or the provider. */
export interface Schema extends Body {
  /** Raised when states of earlier versions need `upgrade`; 0 without it. */
  readonly version?: number;
  /** Markdown, for the documentation: whole sentences. */
  readonly description: string;
  readonly deprecated?: string;
}

export interface Body {
  readonly attributes: { readonly [name: string]: Attribute };
  readonly blocks?: { readonly [name: string]: Block };
}

export type Nesting = 'single' | 'list' | 'set' | 'map';

/** `name { … }` in a configuration. Unset, a list or set of blocks is empty, and a single one null. */
export interface Block extends Body {
  readonly nesting: Nesting;
  readonly description: string;
  readonly deprecated?: string;
  /** Bounds on their number, for lists and sets. */
  readonly min?: number;
  readonly max?: number;
}

/** An attribute has a `type`, or `nested` attributes of its own. Exactly one of `required`, `optional` and `computed`, or the last two. */
export interface Attribute {
  readonly type?: Type;
  readonly nested?: {
    readonly nesting: Nesting;
    readonly attributes: { readonly [name: string]: Attribute };
  };
  /** Markdown, for the documentation: what it is, its form, its bounds. */
  readonly description: string;
  readonly required?: boolean;
  readonly optional?: boolean;
  /** The provider sets it where the configuration does not: unknown in the plan until it is. */
  readonly computed?: boolean;
  /** Never shown in a plan. It is still in the state: what must not be there is `writeOnly`. */
  readonly sensitive?: boolean;
  /** In no plan and no state: `create` and `update` find it in `config` alone, and cannot see that it changed. Not within sets. */
  readonly writeOnly?: boolean;
  /** Why, and what to use instead. */
  readonly deprecated?: string;
  /** Where the configuration sets nothing; the attribute is then `optional` and `computed`. Not for provider, data sources and ephemerals. */
  readonly default?: Value;
  /** A change of it needs another resource. */
  readonly requiresReplace?: boolean;
  /**
   * For what is computed: an update leaves it as it is. Otherwise it is unknown in the plan of every update that changes something, and may
   * come out different.
   */
  readonly useStateForUnknown?: boolean;
  /**
   * Judges a value that is set and wholly known, at validation, wherever the attribute stands; what it answers is wrong with the value is
   * told with its path. Never repeat a sensitive value.
   */
  validate?(value: Exclude<Value, null>): string | undefined;
}
