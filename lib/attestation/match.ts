import { type Entry, entryRef } from './entry.ts';
import type { Selectors } from './selectors.ts';

/** What became of one entry when a workload's selectors were held against it. */
export type Consideration = {
  readonly entry: string;
  readonly state: Entry['state'];
  readonly matched: boolean;
  /** The first selector that differed: what the entry wants and what the evidence showed. */
  readonly differs?: {
    readonly selector: string;
    readonly wanted: string;
    readonly found: readonly string[];
  };
};

export type MatchOutcome = { readonly considered: readonly Consideration[] } & (
  | { readonly kind: 'matched'; readonly entry: Entry }
  | { readonly kind: 'none' }
  | { readonly kind: 'disabled'; readonly entry: Entry }
  | { readonly kind: 'ambiguous'; readonly entries: readonly Entry[] }
);

/**
 * Finds the entry for a workload: all of its selectors must be met, and the entry with most selectors wins.
 *
 * Two that tie are refused, not chosen between. So are matches of two tenants of which neither is above the other: a tenant
 * that registers more of another's selectors can then at worst make itself heard, never hand its ID to the other's workload.
 * A disabled entry that would have won is the answer: it must not fall through to a broader one.
 */
export function matchEntries(entries: Iterable<Entry>, found: Selectors): MatchOutcome {
  const considered: Consideration[] = [];
  const matches: Entry[] = [];
  for (const entry of entries) {
    if (entry.state === 'pending') continue;
    const differs = firstDifference(entry, found);
    considered.push({
      entry: entryRef(entry),
      state: entry.state,
      matched: differs === undefined,
      ...(differs === undefined ? {} : { differs }),
    });
    if (differs === undefined) matches.push(entry);
  }
  if (matches.length === 0) return { kind: 'none', considered };
  const most = Math.max(...matches.map(weight));
  const heaviest = matches.filter((entry) => weight(entry) === most);
  const winner = heaviest[0]!;
  const strangers = matches.filter((entry) => !related(entry.tenant, winner.tenant));
  if (heaviest.length > 1 || strangers.length > 0) {
    return { kind: 'ambiguous', entries: [...new Set([...heaviest, ...strangers])], considered };
  }
  return { kind: winner.state === 'disabled' ? 'disabled' : 'matched', entry: winner, considered };
}

/**
 * The entries that some workload could match as well as `entry` and that could then not be told apart from it: of equal weight,
 * or of an unrelated tenant, with no selector on which the two want different values. A registration that has any is refused.
 *
 * Entries that name a host by its key and entries that name it by its CA are let stand beside each other, or one tenant's CA would
 * shut out every other tenant's pinned keys. A host that is both is refused when it comes.
 */
export function overlapping(entry: Entry, others: Iterable<Entry>): Entry[] {
  const found: Entry[] = [];
  for (const other of others) {
    if (entryRef(other) === entryRef(entry)) continue;
    const told = Object.entries(entry.match).some(
      ([key, value]) =>
        Object.hasOwn(other.match, key) && other.match[key] !== value && !MANY_VALUED.has(key),
    );
    if (
      !told &&
      !alternatives(entry, other) &&
      shareMethod(entry, other) &&
      (weight(other) === weight(entry) || !related(other.tenant, entry.tenant))
    ) {
      found.push(other);
    }
  }
  return found;
}

/** Selectors that may hold several values at once, so that two different wants do not exclude each other. */
const MANY_VALUED: ReadonlySet<string> = new Set(['ssh-host:principal', 'k8s:image']);

/** Two ways to name the same thing, of which an entry uses one. */
const ALTERNATIVES = ['ssh-host:key', 'ssh-host:ca'] as const;

function alternatives(a: Entry, b: Entry): boolean {
  const named = (entry: Entry) => ALTERNATIVES.filter((key) => Object.hasOwn(entry.match, key)).join();
  return named(a) !== '' && named(b) !== '' && named(a) !== named(b);
}

function firstDifference(entry: Entry, found: Selectors): Consideration['differs'] {
  for (const [selector, wanted] of Object.entries(entry.match)) {
    const values = found.get(selector) ?? [];
    if (!values.includes(wanted)) return { selector, wanted, found: values };
  }
  return undefined;
}

function weight(entry: Entry): number {
  return Object.keys(entry.match).length;
}

function related(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
}

/** One evidence is of one method and an entry's selectors are too, so entries of different methods never meet. */
function shareMethod(a: Entry, b: Entry): boolean {
  return method(a) === method(b);
}

function method(entry: Entry): string {
  const [key = ''] = Object.keys(entry.match);
  return key.slice(0, key.indexOf(':'));
}
