import type { Type } from './schema.ts';
import { ctyOf } from './types.ts';
import { Decimal, Dynamic, isValues, UNKNOWN, type Value } from './values.ts';
import { normal } from './wire/index.ts';

/** Whether both are the same value of this type: sets without order, numbers by what they are. */
export function isSame(a: Value, b: Value, type: Type): boolean {
  return a === b || canonical(a, type) === canonical(b, type);
}

/** A text that is the same for the same values of a type, and for no others. */
export function canonical(value: Value, type: Type): string {
  if (value === UNKNOWN) return '?';
  if (value instanceof Decimal || typeof value === 'number' || typeof value === 'bigint') {
    const text = value instanceof Decimal ? value.text : String(exact(value));
    return `#${normal(text) ?? text}`;
  }
  if (value instanceof Dynamic)
    return `~${JSON.stringify(ctyOf(value.type))}${canonical(value.value, value.type)}`;
  if (value === null || typeof type === 'string') return JSON.stringify(value) ?? '!';
  if (Array.isArray(value) && 'tuple' in type)
    return `[${value.map((one, i) => canonical(one, type.tuple[i] ?? 'string')).join()}]`;
  if (Array.isArray(value)) {
    const element = 'list' in type ? type.list : 'set' in type ? type.set : 'string';
    const each = value.map((one) => canonical(one, element));
    return 'set' in type ? `{${[...new Set(each)].sort().join()}}` : `[${each.join()}]`;
  }
  if (!isValues(value)) return JSON.stringify(value);
  const members = Object.keys(value)
    .sort()
    .map((name) => {
      const of = 'map' in type ? type.map : 'object' in type ? type.object[name] : undefined;
      return `${JSON.stringify(name)}:${canonical(value[name]!, of ?? 'string')}`;
    });
  return `(${members.join()})`;
}

/** A large number is printed with fewer digits than it has. */
function exact(value: number | bigint): number | bigint {
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? BigInt(value) : value;
}
