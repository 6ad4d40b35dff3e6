import { escapePointer } from '../json-text.ts';
import { anonymousCondition } from './anonymous.ts';
import { ANONYMOUS } from './caller.ts';
import { judgeOf } from './comparing.ts';
import type { CompiledPolicy } from './compile.ts';
import type { Asked, Condition, Effect, PolicyDocument, Predicate } from './document.ts';
import { evaluate, type PolicyRequest } from './evaluate.ts';
import type { Check, Explanation, RuleJudgement } from './explanation.ts';
import { explanationText } from './explanation-text.ts';
import { isMet, matcherOf } from './matcher.ts';
import { readerOf, type Subject } from './reading.ts';
import { type Found, shownOperand, shownValue } from './shown.ts';

/** Judges a request once more and tells, rule by rule, what was compared with what. For the log, the CLI, the dashboard. */
export function explain(policy: CompiledPolicy, request: PolicyRequest): Explanation {
  const decision = evaluate(policy, request);
  const { caller, method, path, facts = null } = request;
  const subject: Subject = { caller, callerText: caller.toString(), method, path, facts };
  // The sort is stable, so rules that are equally near stay in order of rank.
  const considered = policy.documents
    .map((document) => judge(document, subject))
    .sort((a, b) => a.unmet.length - b.unmet.length);
  const lacksRule = decision.effect === 'deny' && decision.code === 'no_rule';
  const nearest = lacksRule
    ? (considered.find((judged) => judged.effect === 'allow' && judged.mode === 'enforce') ?? null)
    : null;
  return { decision, considered, nearest, text: explanationText(decision, considered, nearest, subject) };
}

function judge(document: PolicyDocument, subject: Subject): RuleJudgement {
  const { name, level, effect, mode, when } = document;
  const compared = examine(when, subject, effect, false, '/when');
  const named = subject.caller !== ANONYMOUS || isNamed(document, subject, compared);
  const checks = named ? compared.checks : [...compared.checks, UNNAMED];
  const unmet = named ? compared.unmet : [...compared.unmet, UNNAMED];
  return { rule: name, level, effect, mode, matched: unmet.length === 0, checks, unmet };
}

/** Why a rule that holds for others does not hold for an anonymous caller. */
const UNNAMED: Check = {
  pointer: '/when',
  attribute: 'caller',
  operator: 'named',
  negated: false,
  wanted: ANONYMOUS,
  found: 'no condition that holds and names it',
  ok: false,
};

/** Whether it is not for want of its name that a rule does not match an anonymous caller. */
function isNamed(document: PolicyDocument, subject: Subject, { unmet }: Examined): boolean {
  const condition = anonymousCondition(document);
  return condition !== null && (unmet.length > 0 || matcherOf(condition, document.effect)(subject));
}

type Examined = { readonly checks: readonly Check[]; readonly unmet: readonly Check[] };

/** Below an odd number of `not`, `all` and `any` change places (De Morgan) and the opposite of every comparison is wanted. */
function examine(
  condition: Condition,
  subject: Subject,
  effect: Effect,
  negated: boolean,
  pointer: string,
): Examined {
  if (condition.kind === 'predicate') return compare(condition, subject, effect, negated, pointer);
  if (condition.kind === 'not') return examine(condition.of, subject, effect, !negated, `${pointer}/not`);
  const branches = condition.of.map((branch, i) =>
    examine(branch, subject, effect, negated, `${pointer}/${condition.kind}/${i}`),
  );
  const checks = branches.flatMap((branch) => branch.checks);
  if ((condition.kind === 'all') !== negated)
    return { checks, unmet: branches.flatMap((branch) => branch.unmet) };
  const nearest = branches.reduce((best, branch) =>
    branch.unmet.length < best.unmet.length ? branch : best,
  );
  return { checks, unmet: nearest.unmet };
}

function compare(
  predicate: Predicate,
  subject: Subject,
  effect: Effect,
  negated: boolean,
  pointer: string,
): Examined {
  const { attribute, wanted } = predicate;
  const operator = 'relation' in predicate ? predicate.relation : predicate.operator;
  const check: Check = {
    pointer: `${pointer}/${escapePointer(attribute)}/${operator}`,
    attribute,
    operator,
    negated,
    wanted: shownOperand(attribute, wanted),
    found: foundFor(predicate, subject),
    ok: isMet(judgeOf(predicate)(subject), effect, negated),
    ...('other' in predicate ? { other: shownOf(predicate.other, subject) } : {}),
  };
  return { checks: [check], unmet: check.ok ? [] : [check] };
}

function foundFor(predicate: Predicate, subject: Subject): Found {
  if (!('pairs' in predicate)) return shownOf(predicate, subject);
  const { from, to } = predicate;
  const [left, right] = [shownOf(from, subject), shownOf(to, subject)];
  return left === null || right === null ? null : [String(left), String(right)];
}

function shownOf(asked: Asked, subject: Subject): Found {
  return shownValue(asked.attribute, readerOf(asked)(subject));
}
