import type { NamedSets } from './named-sets.ts';
import type { RegexCompiler } from './regex.ts';

/** What a condition may refer to beside what it says itself. */
export type Scope = {
  readonly names: NamedSets;
  /** Null: there is none, and `matches` is refused. */
  readonly regexes: RegexCompiler | null;
  /** The placeholders of the document's path templates, and the segment each stands for; null: not the same one everywhere. */
  readonly placeholders: ReadonlyMap<string, number | null>;
};
