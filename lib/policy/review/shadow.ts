import { anonymousCondition } from '../anonymous.ts';
import { type Condition, LEVELS, type PolicyDocument } from '../document.ts';
import { membersOf } from './members.ts';

/** Which rule of the same target decides whatever this one could; null when none does for certain. */
export function shadowOf(document: PolicyDocument, others: readonly PolicyDocument[]): string | null {
  if (document.mode === 'dry-run') return null;
  const asked = membersOf(document.when);
  for (const other of others) {
    if (other === document || other.mode === 'dry-run' || !goesFirst(other, document)) continue;
    if (!membersOf(other.when).every((needed) => asked.some((member) => implies(member, needed)))) continue;
    return other.effect === document.effect
      ? `decides nothing: ${other.name} decides it first`
      : `allows nothing: ${other.name} denies all of it`;
  }
  return null;
}

function goesFirst(other: PolicyDocument, document: PolicyDocument): boolean {
  if (other.effect !== document.effect) return other.effect === 'deny';
  // An allow has to name anonymous callers, so one that asks less may match fewer of them.
  if (document.effect === 'allow' && anonymousCondition(document) !== null) return false;
  const difference = LEVELS.indexOf(other.level) - LEVELS.indexOf(document.level);
  return difference < 0 || (difference === 0 && other.name < document.name);
}

/** Whether `needed` holds wherever `member` does. */
function implies(member: Condition, needed: Condition): boolean {
  if (JSON.stringify(member) === JSON.stringify(needed)) return true;
  if (member.kind !== 'predicate' || needed.kind !== 'predicate') return false;
  if (member.attribute !== needed.attribute || 'patterns' in member || 'patterns' in needed) return false;
  const equalities = [member, needed].every(({ operator }) => operator === 'is' || operator === 'in');
  if (!equalities || !('values' in member) || !('values' in needed)) return false;
  const known = new Set<unknown>(needed.values);
  return member.values.every((value) => known.has(value));
}
