import type { Values } from './values.ts';

/**
 * Where in a configuration: a `string` is an attribute's or block's name, a `number` a place in a list, `{ key }` an element of a map.
 * Elements of a set cannot be named: a path ends before them.
 */
export type Path = readonly (string | number | { readonly key: string })[];

/** What is told to the person: never with the value of a sensitive attribute, a token or a body. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  /** A few words, without a full stop. */
  readonly summary: string;
  /** Whole sentences: what is wrong and what to do. */
  readonly detail?: string;
  readonly path?: Path;
}

/** An error as a diagnostic, at an attribute where `path` is given. */
export function problem(summary: string, detail?: string, path?: Path): Diagnostic {
  return {
    severity: 'error',
    summary,
    ...(detail !== undefined && { detail }),
    ...(path !== undefined && { path }),
  };
}

/** The same as a warning. */
export function caution(summary: string, detail?: string, path?: Path): Diagnostic {
  return { ...problem(summary, detail, path), severity: 'warning' };
}

/**
 * What a resource throws to be told to the person as it is. Every other exception is told by its operation and `code` alone, since its
 * message may hold anything.
 *
 * Thrown by `create` or `update` with `state`, that is what is kept: after a failed create the resource counts as tainted, and the next
 * apply makes it anew. Without it, a failed create leaves nothing in the state, and a failed update leaves what was there.
 */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  readonly diagnostics: readonly Diagnostic[];
  readonly state: Values | undefined;
  constructor(
    diagnostics: Diagnostic | readonly Diagnostic[],
    options: ErrorOptions & { readonly state?: Values } = {},
  ) {
    const all = 'summary' in diagnostics ? [diagnostics] : diagnostics;
    super(all.map(({ summary }) => summary).join('; '), options);
    this.diagnostics = all;
    this.state = options.state;
  }
}
