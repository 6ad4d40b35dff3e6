import { createHash, hash } from 'node:crypto';
import type { SpiffeId } from '../spiffe/index.ts';
import { anonymousCondition } from './anonymous.ts';
import { recorder } from './asked.ts';
import type { Caller } from './caller.ts';
import { type Decision, type Denial, decided, NO_HITS, NO_RULE } from './decision.ts';
import { type Condition, LEVELS, type PolicyDocument } from './document.ts';
import type { Facts } from './facts.ts';
import { guardOf } from './guard.ts';
import { lackingScope } from './lacking.ts';
import { type Matcher, matcherOf } from './matcher.ts';
import type { Subject } from './reading.ts';
import { RuleIndex } from './rule-index.ts';
import type { Found } from './shown.ts';

/** A document ready to be judged. A lower `rank` names the decision when several match. */
export type Rule = {
  readonly document: PolicyDocument;
  readonly rank: number;
  readonly matches: Matcher;
  /** What it decides where no dry-run rule hits: one object for all these requests. */
  readonly decision: Decision;
  /** The same when a deny that has no challenge hits as well: no answer to this one's would help. */
  readonly unchallenged: Decision;
  /** Of an allow that wants a scope: whether all else holds, and what is decided then when nothing allows the request. */
  readonly lacking: { readonly scope: Matcher; readonly denial: Denial } | null;
};

/** A policy set compiled for one target. Immutable; an empty one denies everything. */
export class CompiledPolicy {
  readonly target: SpiffeId;
  /** How many documents concern the target. */
  readonly size: number;
  /** Hex SHA-256 over those documents; the same whatever their order. */
  readonly digest: string;
  /** @internal By rank. */
  readonly documents: readonly PolicyDocument[];
  /** @internal For callers with a SPIFFE ID. */
  readonly index = new RuleIndex<Rule>();
  /** @internal For those without: the rules that can match them, by what these then ask. */
  readonly anonymousIndex = new RuleIndex<Rule>();
  /** @internal Some rule lacks only a scope now and then. */
  readonly asksScope: boolean;
  readonly #recorder: ((subject: Subject) => Readonly<Record<string, Found>>) | null;

  /** @internal Made by `compilePolicies`. `documents` are by rank. */
  constructor(target: SpiffeId, documents: readonly PolicyDocument[]) {
    this.target = target;
    this.size = documents.length;
    this.documents = documents;
    this.digest = digestOf(documents);
    this.#recorder = recorder(documents);
    let asksScope = false;
    for (const [rank, document] of documents.entries()) {
      const rule = ruleOf(document, rank, document.when);
      asksScope ||= rule.lacking !== null;
      this.index.add(rule, guardOf(document.when));
      const when = anonymousCondition(document);
      if (when !== null) this.anonymousIndex.add(ruleOf(document, rank, when), guardOf(when));
    }
    this.asksScope = asksScope;
  }

  /**
   * What the rules ask about, as this request has it: for the record of its decision. Null when they ask about nothing that is recorded.
   * Never a query, a header or a claim.
   */
  factsOf(caller: Caller, facts: Facts): Readonly<Record<string, Found>> | null {
    if (this.#recorder === null) return null;
    return this.#recorder({ caller, callerText: caller.toString(), method: '', path: '', facts });
  }
}

/** Compiles the documents that are for `target`; the others are passed over. */
export function compilePolicies(documents: readonly PolicyDocument[], target: SpiffeId): CompiledPolicy {
  return new CompiledPolicy(
    target,
    documents.filter((document) => document.target.covers(target)).sort(byStrength),
  );
}

/** `when`: the document's condition, or what is left of it for the callers meant. */
function ruleOf(document: PolicyDocument, rank: number, when: Condition): Rule {
  const { effect, challenge } = document;
  const lacking = lackingScope(document, when);
  return {
    document,
    rank,
    matches: matcherOf(when, effect),
    decision: decided(document, NO_HITS, effect, challenge),
    unchallenged: decided(document, NO_HITS, effect),
    lacking: lacking && {
      scope: matcherOf(lacking.rest, effect),
      denial: Object.freeze({ ...NO_RULE, challenge: { scope: lacking.scope } }),
    },
  };
}

/** Long lists are hashed by themselves, once: many documents may use one named set. */
function digestOf(documents: readonly PolicyDocument[]): string {
  const digests = new Map<unknown, string>();
  const shorten = (_key: string, value: unknown) => {
    if (!Array.isArray(value) || value.length < 100) return value;
    let digest = digests.get(value);
    if (digest === undefined) digests.set(value, (digest = hash('sha256', JSON.stringify(value))));
    return digest;
  };
  const digest = createHash('sha256');
  for (const document of documents) digest.update(JSON.stringify(document, shorten));
  return digest.digest('hex');
}

function byStrength(a: PolicyDocument, b: PolicyDocument): number {
  return LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level) || (a.name < b.name ? -1 : 1);
}
