import { ANONYMOUS, type Caller } from './caller.ts';
import type { CompiledPolicy, Rule } from './compile.ts';
import { type Decision, type Denial, decided, NO_RULE } from './decision.ts';
import type { Facts } from './facts.ts';
import type { Subject } from './reading.ts';
import type { Visitor } from './rule-index.ts';

/** What policy judges. `path` is the canonical path, without query; `method` as sent. Without `facts` nothing else is known. */
export type PolicyRequest = {
  readonly caller: Caller;
  readonly method: string;
  readonly path: string;
  readonly facts?: Facts;
};

/**
 * Judges a request: one enforced deny, of whatever level, overrides every allow; without an allow it is denied. Builds no
 * explanation (`explain` does) and costs the same however many documents do not concern the request. Never throws.
 */
export function evaluate(policy: CompiledPolicy, request: PolicyRequest): Decision {
  const { caller, method, path, facts = null } = request;
  const subject = { caller, callerText: caller.toString(), method, path, facts };
  const tally = new Tally(subject);
  const index = caller === ANONYMOUS ? policy.anonymousIndex : policy.index;
  index.visit(path, method, subject.callerText, tally);
  if (!tally.isUndecided || !policy.asksScope || facts?.user == null) return tally.decision();
  const search = new ScopeSearch(subject);
  index.visit(path, method, subject.callerText, search);
  return tally.decision(search.nearest?.lacking?.denial);
}

/** Of the allows that want nothing more than a scope, the first. */
class ScopeSearch implements Visitor<Rule> {
  nearest: Rule | null = null;
  readonly #subject: Subject;

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  visit(rule: Rule): void {
    if (this.nearest !== null && this.nearest.rank <= rule.rank) return;
    if (rule.lacking?.scope(this.#subject) === true) this.nearest = rule;
  }
}

/** The rules that matched so far. */
class Tally implements Visitor<Rule> {
  readonly subject: Subject;
  #deny: Rule | null = null;
  #allow: Rule | null = null;
  #dryRun: Rule[] | null = null;
  /** Some deny offers no way to pass. */
  #isFinal = false;

  constructor(subject: Subject) {
    this.subject = subject;
  }

  visit(rule: Rule): void {
    if (!rule.matches(this.subject)) return;
    const { effect, mode } = rule.document;
    if (mode === 'dry-run') {
      this.#dryRun ??= [];
      if (!this.#dryRun.includes(rule)) this.#dryRun.push(rule);
    } else if (effect === 'deny') {
      if (rule.document.challenge === undefined) this.#isFinal = true;
      if (this.#deny === null || rule.rank < this.#deny.rank) this.#deny = rule;
    } else if (this.#allow === null || rule.rank < this.#allow.rank) this.#allow = rule;
  }

  get isUndecided(): boolean {
    return this.#deny === null && this.#allow === null;
  }

  /** `otherwise`: when no rule decides. */
  decision(otherwise: Denial = NO_RULE): Decision {
    const deciding = this.#deny ?? this.#allow;
    const dryRun = this.#dryRun;
    if (dryRun === null)
      return deciding === null ? otherwise : this.#isFinal ? deciding.unchallenged : deciding.decision;
    dryRun.sort((a, b) => a.rank - b.rank);
    const hits = dryRun.map(({ document: { name, level, effect } }) => ({ rule: name, level, effect }));
    const denied = this.#deny !== null || hits.some((hit) => hit.effect === 'deny');
    // Without a deny among them, one of the hits is an allow.
    const wouldBe = denied ? 'deny' : 'allow';
    return deciding === null
      ? { ...otherwise, dryRun: hits, wouldBe }
      : decided(deciding.document, hits, wouldBe, this.#isFinal ? undefined : deciding.document.challenge);
  }
}
