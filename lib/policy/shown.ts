import type { Operand, Scalar } from './document.ts';
import type { Value } from './reading.ts';

/** What an explanation shows of a request: null for nothing, and no secret. */
export type Found = Scalar | readonly Scalar[] | null;

/** Names of headers, parameters and claims under which secrets travel. */
const SECRET =
  /auth|cookie|token|secret|password|passwd|credential|session|signature|api[-_]?key|^key$|code|otp|jwt/i;
const FAMILY = /^(?:header|query|user\.claim)\.(.*)$/s;
const MAX_CHARS = 100;
const MAX_VALUES = 32;

/** Said in place of a value that might be a secret. */
const PRESENT = '(present, not shown)';

export function shownValue(attribute: string, value: Value): Found {
  if (value === null) return null;
  if (isSecret(attribute)) return PRESENT;
  if (typeof value === 'symbol') return '(cannot be read in one way)';
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== 'object') return shortened(value);
  const all = [...value];
  const some = all.slice(0, MAX_VALUES).map(shortened);
  return all.length > MAX_VALUES ? [...some, `(${all.length - MAX_VALUES} more)`] : some;
}

export function shownOperand(attribute: string, wanted: Operand): Operand {
  return isSecret(attribute) && typeof wanted !== 'boolean' ? '(not shown)' : wanted;
}

function isSecret(attribute: string): boolean {
  const name = FAMILY.exec(attribute)?.[1];
  return name !== undefined && SECRET.test(name);
}

function shortened(value: Scalar): Scalar {
  return typeof value === 'string' && value.length > MAX_CHARS
    ? `${value.slice(0, MAX_CHARS - 3)}...`
    : value;
}
