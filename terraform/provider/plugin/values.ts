import type { Type } from './schema.ts';

/** A value that is known only after apply. It comes in configurations that are validated or planned, and goes out in plans; never in a state. */
export const UNKNOWN: unique symbol = Symbol('known after apply');
export type Unknown = typeof UNKNOWN;

/** A number that no JavaScript number holds to the last digit: `0.1` does, a third as Terraform computes it does not. */
export class Decimal {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A value of an attribute whose type is any: with the type that it has. */
export class Dynamic {
  readonly type: Type;
  readonly value: Value;
  constructor(type: Type, value: Value) {
    this.type = type;
    this.value = value;
  }
}

/**
 * What an attribute holds: `null` where nothing is set. Lists and sets are arrays (a set's order means nothing), maps and objects plain
 * objects, of which an object has every attribute of its type. Integers outside the safe range are `bigint`.
 */
export type Value =
  | null
  | Unknown
  | string
  | boolean
  | number
  | bigint
  | Decimal
  | Dynamic
  | readonly Value[]
  | { readonly [key: string]: Value };

/** An object by its schema: each attribute and each block by its name. */
export type Values = { readonly [name: string]: Value };

/** A plain object: neither null, list nor number. */
export function isValues(value: Value | undefined): value is Values {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return !(value instanceof Decimal || value instanceof Dynamic);
}

/** Whether nothing in it is unknown. */
export function isKnown(value: Value): boolean {
  if (value === UNKNOWN) return false;
  if (value instanceof Dynamic) return isKnown(value.value);
  if (Array.isArray(value)) return value.every(isKnown);
  return !isValues(value) || Object.values(value).every(isKnown);
}
