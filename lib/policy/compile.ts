import { hash } from 'node:crypto';
import type { SpiffeId } from '../spiffe/index.ts';
import { anonymousCondition } from './anonymous.ts';
import { type Decision, decided, NO_HITS } from './decision.ts';
import { LEVELS, type PolicyDocument } from './document.ts';
import { guardOf } from './guard.ts';
import { type Matcher, matcherOf } from './matcher.ts';
import { RuleIndex } from './rule-index.ts';

/** A document ready to be judged. A lower `rank` names the decision when several match. */
export type Rule = {
  readonly document: PolicyDocument;
  readonly rank: number;
  readonly matches: Matcher;
  /** What it decides where no dry-run rule hits: one object for all these requests. */
  readonly decision: Decision;
  /** The same when a deny that has no challenge hits as well: no answer to this one's would help. */
  readonly unchallenged: Decision;
};

/** A policy set compiled for one target. Immutable; an empty one denies everything. */
export class CompiledPolicy {
  readonly target: SpiffeId;
  /** How many documents concern the target. */
  readonly size: number;
  /** Hex SHA-256 over those documents; the same whatever their order. */
  readonly digest: string;
  /** @internal By rank. */
  readonly rules: readonly Rule[];
  /** @internal For callers with a SPIFFE ID. */
  readonly index = new RuleIndex<Rule>();
  /** @internal For those without: the rules that can match them, by what these then ask. */
  readonly anonymousIndex = new RuleIndex<Rule>();

  /** @internal Made by `compilePolicies`. */
  constructor(target: SpiffeId, rules: readonly Rule[]) {
    this.target = target;
    this.size = rules.length;
    this.rules = rules;
    this.digest = hash('sha256', JSON.stringify(rules.map((rule) => rule.document)));
    for (const rule of rules) {
      const { document } = rule;
      this.index.add(rule, guardOf(document.when));
      const when = anonymousCondition(document);
      if (when !== null)
        this.anonymousIndex.add({ ...rule, matches: matcherOf(when, document.effect) }, guardOf(when));
    }
  }
}

/** Compiles the documents that are for `target`; the others are passed over. */
export function compilePolicies(documents: readonly PolicyDocument[], target: SpiffeId): CompiledPolicy {
  const own = documents.filter((document) => document.target.covers(target)).sort(byStrength);
  return new CompiledPolicy(
    target,
    own.map((document, rank) => ({
      document,
      rank,
      matches: matcherOf(document.when, document.effect),
      decision: decided(document, NO_HITS, document.effect, document.challenge),
      unchallenged: decided(document, NO_HITS, document.effect),
    })),
  );
}

function byStrength(a: PolicyDocument, b: PolicyDocument): number {
  return LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level) || (a.name < b.name ? -1 : 1);
}
