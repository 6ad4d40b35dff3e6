import type { Decision } from './decision.ts';
import type { Check, RuleJudgement } from './explanation.ts';
import type { Subject } from './reading.ts';

/** An explanation as lines for people. */
export function explanationText(
  decision: Decision,
  considered: readonly RuleJudgement[],
  nearest: RuleJudgement | null,
  subject: Subject,
): string {
  const lines = [verdict(decision), `  caller ${subject.callerText}`, `  ${subject.method} ${subject.path}`];
  if (decision.wouldBe !== decision.effect) {
    lines.push(`with dry-run rules enforced: ${decision.wouldBe === 'allow' ? 'allowed' : 'denied'}`);
  }
  if (nearest !== null) {
    lines.push(
      `nearest rule ${ruleName(nearest)}, which does not match because`,
      ...nearest.unmet.map(unmetLine),
    );
  }
  if (considered.length === 0) lines.push('no rule is for this target');
  for (const judged of considered) {
    lines.push(
      `${judged.matched ? 'matched' : 'did not match'}: ${ruleName(judged)}`,
      ...judged.checks.map(checkLine),
    );
  }
  return lines.join('\n');
}

function verdict(decision: Decision): string {
  if (decision.effect === 'allow') return `allowed by ${decision.rule} (${decision.level})`;
  if (decision.rule === null) return 'denied: no rule allows it';
  return `denied by ${decision.rule} (${decision.level})`;
}

function ruleName({ rule, level, effect, mode }: RuleJudgement): string {
  return `${rule} (${level}, ${effect}${mode === 'dry-run' ? ', dry-run' : ''})`;
}

function unmetLine(check: Check): string {
  return `  ${comparison(check)}, found ${foundText(check)}`;
}

function checkLine(check: Check): string {
  return `  ${check.ok ? '+' : '-'} ${comparison(check)}, found ${foundText(check)}`;
}

function foundText({ found }: Check): string {
  return found === null ? 'nothing' : JSON.stringify(found);
}

function otherText({ other }: Check): string {
  return other === undefined ? '' : ` (${other === null ? 'nothing' : JSON.stringify(other)})`;
}

function comparison(check: Check): string {
  return `${check.attribute} ${check.negated ? 'not ' : ''}${check.operator} ${JSON.stringify(check.wanted)}${otherText(check)}`;
}
