import type { Condition } from '../../lib/policy/index.ts';

const MAX_LINE = 96;

/** A condition as people read it: on one line if it fits, else a branch to a line. */
export function conditionLines(condition: Condition, indent = ''): string[] {
  const line = conditionText(condition);
  if (condition.kind === 'predicate' || indent.length + line.length <= MAX_LINE) return [indent + line];
  if (condition.kind === 'not') return [`${indent}not`, ...conditionLines(condition.of, `${indent}  `)];
  const branches = condition.of.flatMap((branch) => conditionLines(branch, `${indent}  `));
  return [`${indent}${condition.kind} of`, ...branches];
}

/** `method in [GET, HEAD] and (user.scope has orders:read or risk below 40)` */
function conditionText(condition: Condition): string {
  switch (condition.kind) {
    case 'predicate': {
      const operator = 'relation' in condition ? condition.relation : condition.operator;
      return `${condition.attribute} ${operator} ${operandText(condition.wanted)}`;
    }
    case 'not':
      return `not ${enclosed(condition.of)}`;
    case 'all':
    case 'any': {
      const [only, ...more] = condition.of;
      if (only !== undefined && more.length === 0) return conditionText(only);
      return condition.of.map(enclosed).join(condition.kind === 'all' ? ' and ' : ' or ');
    }
  }
}

function enclosed(condition: Condition): string {
  const text = conditionText(condition);
  return condition.kind === 'predicate' || condition.kind === 'not' ? text : `(${text})`;
}

/** Without quotes where nothing can be mistaken. */
export function operandText(operand: unknown): string {
  if (Array.isArray(operand)) return `[${operand.map(operandText).join(', ')}]`;
  if (typeof operand === 'object' && operand !== null)
    return Object.entries(operand)
      .map(([name, value]) => `${name} ${operandText(value)}`)
      .join(' ');
  return typeof operand === 'string' && PLAIN.test(operand) ? operand : JSON.stringify(operand);
}

const PLAIN = /^[^\s[\](),"\u0000-\u001f\u007f-\u{10ffff}]+$/u;
