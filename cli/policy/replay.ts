import { isDeepStrictEqual } from 'node:util';
import { type CompiledPolicy, type Decision, evaluate } from '../../lib/policy/index.ts';
import type { DecisionRecord, Placed } from '../audit-records.ts';
import { asksChain, recordedRequest } from './recorded.ts';
import type { Routes } from './route.ts';

/** Where an example of a change stands in the audit. */
export type Example = { readonly id: string; readonly file: string; readonly line: number };

export type Side = { readonly effect: 'allow' | 'deny'; readonly rule: string | null };

/** Requests of one caller to one route that come out otherwise, in the same way. */
export type Change = {
  readonly caller: string;
  readonly method: string;
  readonly route: string;
  readonly before: Side;
  readonly after: Side;
  readonly example: Example;
  count: number;
};

/** Requests that cannot be judged again, by what a rule asks that the audit does not hold. */
export type Unfaithful = { readonly missing: string; readonly example: Example; count: number };

/** Changes that are told apart. What goes beyond is counted. */
const MAX_CHANGES = 10_000;

/** Judges recorded requests by the policies of today and by those proposed, and counts what differs. */
export class Replay {
  decisions = 0;
  /** The effect stays, by another rule or with another challenge. */
  alike = 0;
  /** Recorded under other policies than the current. */
  otherPolicies = 0;
  /** Recorded under the current policies, and these now decide otherwise. */
  notAsRecorded = 0;
  unreadable = 0;
  /** Changes beyond those told apart. */
  beyond = 0;
  /** Requests that could not be judged again, whatever was missing. */
  unfaithfulCount = 0;
  readonly #current: CompiledPolicy;
  readonly #proposed: CompiledPolicy;
  readonly #routes: Routes;
  readonly #asksChain: boolean;
  readonly #changes = new Map<string, Change>();
  readonly #unfaithful = new Map<string, Unfaithful>();

  constructor(current: CompiledPolicy, proposed: CompiledPolicy, routes: Routes) {
    this.#current = current;
    this.#proposed = proposed;
    this.#routes = routes;
    this.#asksChain = asksChain([...current.documents, ...proposed.documents]);
  }

  add({ file, line, record }: Placed<DecisionRecord>): void {
    this.decisions += 1;
    const before = judged(this.#current, record, this.#asksChain);
    const after = judged(this.#proposed, record, this.#asksChain);
    if (before === null || after === null) {
      this.unreadable += 1;
      return;
    }
    const example = { id: record.id, file, line };
    // What was decided by the very policies of today is known, whatever was asked.
    const same = record.policy === this.#current.digest;
    if (!same) this.otherPolicies += 1;
    else if (before.missing.size === 0 && !isAsRecorded(before.decision, record)) this.notAsRecorded += 1;
    const missing = new Set([...(same ? [] : before.missing), ...after.missing]);
    if (missing.size > 0) this.#noteMissing([...missing], example);
    else this.#compare(record, same ? record : before.decision, before.decision, after.decision, example);
  }

  /** The most frequent first. */
  get changes(): Change[] {
    return [...this.#changes.values()].sort((a, b) => b.count - a.count);
  }

  get unfaithful(): Unfaithful[] {
    return [...this.#unfaithful.values()].sort((a, b) => b.count - a.count);
  }

  /** Every request was judged again, and none comes out otherwise. */
  get isSame(): boolean {
    return this.#changes.size === 0 && this.#unfaithful.size === 0 && this.unreadable === 0;
  }

  #compare(record: DecisionRecord, before: Side, current: Decision, after: Decision, example: Example): void {
    if (before.effect === after.effect) {
      const sameChallenge = isDeepStrictEqual(challengeOf(current), challengeOf(after));
      if (before.rule !== after.rule || !sameChallenge) this.alike += 1;
      return;
    }
    const { caller, method } = record;
    const route = this.#routes(record.path);
    const [was, is] = [sideOf(before), sideOf(after)];
    const key = JSON.stringify([caller, method, route, was, is]);
    const known = this.#changes.get(key);
    if (known !== undefined) known.count += 1;
    else if (this.#changes.size >= MAX_CHANGES) this.beyond += 1;
    else this.#changes.set(key, { caller, method, route, before: was, after: is, example, count: 1 });
  }

  #noteMissing(names: readonly string[], example: Example): void {
    this.unfaithfulCount += 1;
    for (const missing of names) {
      const known = this.#unfaithful.get(missing);
      if (known === undefined) this.#unfaithful.set(missing, { missing, example, count: 1 });
      else known.count += 1;
    }
  }
}

function judged(
  policy: CompiledPolicy,
  record: DecisionRecord,
  asksChain: boolean,
): { readonly decision: Decision; readonly missing: ReadonlySet<string> } | null {
  const recorded = recordedRequest(record, asksChain);
  if (recorded === null) return null;
  return { decision: evaluate(policy, recorded.request), missing: recorded.missing };
}

function isAsRecorded(decision: Decision, record: DecisionRecord): boolean {
  return decision.effect === record.effect && decision.rule === record.rule;
}

function sideOf({ effect, rule }: Side): Side {
  return { effect, rule };
}

function challengeOf(decision: Decision): unknown {
  return (decision.effect === 'deny' ? decision.challenge : null) ?? null;
}
