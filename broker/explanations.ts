import type { Consideration, Selectors } from '../lib/attestation/index.ts';
import type { ProblemCode } from './problem.ts';

/** What became of one attestation and why, for those who may read the entries it was held against. Never evidence or a token. */
export type Explanation = {
  readonly correlation_id: string;
  readonly time: string;
  readonly source: string;
  readonly method: string;
  readonly outcome: 'granted' | ProblemCode;
  /** Why, in the broker's own words; the caller was told only the code. */
  readonly reason?: string;
  readonly selectors?: Readonly<Record<string, readonly string[]>>;
  readonly considered: readonly Consideration[];
  /** How many entries more were considered than are kept here. */
  readonly considered_more: number;
  readonly entry?: string;
  readonly spiffe_id?: string;
  readonly instance?: string;
};

export interface Explanations {
  keep(explanation: Explanation): void;
  find(correlationId: string): Explanation | undefined;
}

const MOST = 2_000;
const MOST_CONSIDERED = 40;

/** The last ones, in memory: they explain what happened a moment ago. What must last is in the log. */
export function createExplanations(): Explanations {
  const kept = new Map<string, Explanation>();
  return {
    keep(explanation) {
      kept.set(explanation.correlation_id, explanation);
      if (kept.size > MOST) kept.delete(kept.keys().next().value ?? '');
    },
    find: (correlationId) => kept.get(correlationId),
  };
}

/** The considerations worth keeping: what matched, then what came nearest, entries of other methods last. */
export function nearest(
  considered: readonly Consideration[],
  prefix: string,
): Pick<Explanation, 'considered' | 'considered_more'> {
  const rank = ({ matched, differs }: Consideration) => {
    if (matched) return 0;
    if (!differs?.selector.startsWith(`${prefix}:`)) return 3;
    return differs.found.length > 0 ? 1 : 2;
  };
  const sorted = considered.toSorted((a, b) => rank(a) - rank(b)).slice(0, MOST_CONSIDERED);
  return { considered: sorted, considered_more: considered.length - sorted.length };
}

export function plainSelectors(found: Selectors): Record<string, readonly string[]> {
  return Object.fromEntries(found);
}
