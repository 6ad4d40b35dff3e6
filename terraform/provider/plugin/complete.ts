import type { Body, Nesting } from './schema.ts';
import { Dynamic, isValues, UNKNOWN, type Value, type Values } from './values.ts';

/** What a resource gave, made whole by its schema: what it left out is null, or empty for lists of blocks; what is write-only is null. */
export function complete(body: Body, given: Values): Values {
  const whole: Record<string, Value> = { ...given };
  for (const [name, { writeOnly, nested }] of Object.entries(body.attributes)) {
    const value = writeOnly ? null : (given[name] ?? null);
    whole[name] = nested ? within(nested.nesting, value, (each) => complete(nested, each)) : value;
  }
  for (const [name, block] of Object.entries(body.blocks ?? {})) {
    const value = within(block.nesting, given[name] ?? null, (each) => complete(block, each));
    whole[name] = value ?? (block.nesting === 'single' ? null : block.nesting === 'map' ? {} : []);
  }
  return whole;
}

function within(nesting: Nesting, value: Value, make: (each: Values) => Values): Value {
  const each = (one: Value): Value => (isValues(one) ? make(one) : one);
  if (nesting === 'single') return each(value);
  if (Array.isArray(value)) return value.map(each);
  if (nesting !== 'map' || !isValues(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, each(one)]));
}

/** The same with null for all that is unknown. */
export function settled(value: Values): Values {
  return settle(value) as Values;
}

function settle(value: Value): Value {
  if (value === UNKNOWN) return null;
  if (value instanceof Dynamic) return new Dynamic(value.type, settle(value.value));
  if (Array.isArray(value)) return value.map(settle);
  if (!isValues(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, settle(each)]));
}
