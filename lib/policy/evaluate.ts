import { ANONYMOUS, type Caller } from './caller.ts';
import type { CompiledPolicy, Rule } from './compile.ts';
import type { Effect, Level } from './document.ts';
import type { Subject } from './matcher.ts';
import type { Visitor } from './rule-index.ts';

/** What policy judges. `path` is the canonical path, without query; `method` as sent. */
export type PolicyRequest = { readonly caller: Caller; readonly method: string; readonly path: string };

/** A dry-run rule whose condition held. It never changes the decision. */
export type DryRunHit = { readonly rule: string; readonly level: Level; readonly effect: Effect };

export type Permit = {
  readonly effect: 'allow';
  /** The rule that allowed it: of all that did, the one of the highest level, then the first by name. */
  readonly rule: string;
  readonly level: Level;
  readonly dryRun: readonly DryRunHit[];
  /** The effect if dry-run rules were enforced. */
  readonly wouldBe: Effect;
};

export type Denial = {
  readonly effect: 'deny';
  /** `no_rule`: nothing allowed it. `policy_denied`: the rule named denied it. */
  readonly code: 'policy_denied' | 'no_rule';
  readonly rule: string | null;
  readonly level: Level | null;
  readonly dryRun: readonly DryRunHit[];
  readonly wouldBe: Effect;
};

export type Decision = Permit | Denial;

const NO_HITS: readonly DryRunHit[] = Object.freeze([]);
const NO_RULE: Denial = Object.freeze({
  effect: 'deny',
  code: 'no_rule',
  rule: null,
  level: null,
  dryRun: NO_HITS,
  wouldBe: 'deny',
});

/**
 * Judges a request: one enforced deny, of whatever level, overrides every allow; without an allow it is denied. Builds no
 * explanation (`explain` does) and costs the same however many documents do not concern the request. Never throws.
 */
export function evaluate(policy: CompiledPolicy, request: PolicyRequest): Decision {
  const { caller, method, path } = request;
  const tally = new Tally({ caller, callerText: caller.toString(), method, path });
  const index = caller === ANONYMOUS ? policy.anonymousIndex : policy.index;
  index.visit(path, method, tally.subject.callerText, tally);
  return tally.decision();
}

/** The rules that matched so far. */
class Tally implements Visitor<Rule> {
  readonly subject: Subject;
  #deny: Rule | null = null;
  #allow: Rule | null = null;
  #dryRun: Rule[] | null = null;

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
      if (this.#deny === null || rule.rank < this.#deny.rank) this.#deny = rule;
    } else if (this.#allow === null || rule.rank < this.#allow.rank) this.#allow = rule;
  }

  decision(): Decision {
    const deciding = this.#deny ?? this.#allow;
    const dryRun = this.#dryRun;
    if (dryRun === null)
      return deciding === null ? NO_RULE : decided(deciding, NO_HITS, deciding.document.effect);
    dryRun.sort((a, b) => a.rank - b.rank);
    const hits = dryRun.map(({ document: { name, level, effect } }) => ({ rule: name, level, effect }));
    const denied = this.#deny !== null || hits.some((hit) => hit.effect === 'deny');
    // Without a deny among them, one of the hits is an allow.
    const wouldBe = denied ? 'deny' : 'allow';
    return deciding === null ? { ...NO_RULE, dryRun: hits, wouldBe } : decided(deciding, hits, wouldBe);
  }
}

function decided(rule: Rule, dryRun: readonly DryRunHit[], wouldBe: Effect): Decision {
  const { name, level, effect } = rule.document;
  if (effect === 'allow') return { effect, rule: name, level, dryRun, wouldBe };
  return { effect, code: 'policy_denied', rule: name, level, dryRun, wouldBe };
}
