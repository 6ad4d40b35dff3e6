import { Encoder, ExtData } from '@msgpack/msgpack';
import type { Path } from '../diagnostics.ts';
import type { Type } from '../schema.ts';
import { ctyOf } from '../types.ts';
import { Decimal, Dynamic, isValues, UNKNOWN, type Value } from '../values.ts';
import { WireError } from './error.ts';
import { normal } from './numbers.ts';

const NOT_YET = new ExtData(0, new Uint8Array(1));
const MAX_DEPTH = 200;
const LARGEST = 2n ** 63n;

/**
 * A value of this type as msgpack.
 * @throws WireError `VALUE_UNFIT` when it is none
 */
export function encodeValue(value: Value, type: Type): { msgpack: Buffer } {
  const encoder = new Encoder({ useBigInt64: true, maxDepth: MAX_DEPTH });
  return { msgpack: Buffer.from(encoder.encode(plain(value, type, []))) };
}

function plain(value: Value, type: Type, path: Path): unknown {
  if (value === null) return null;
  if (value === UNKNOWN) return NOT_YET;
  if (type === 'number') return plainNumber(value, path);
  if (type === 'string' || type === 'bool') {
    if (typeof value === (type === 'bool' ? 'boolean' : 'string')) return value;
    throw unfit(path, `a ${type}`);
  }
  if (type === 'dynamic') {
    if (!(value instanceof Dynamic)) throw unfit(path, 'a value with its type');
    return [Buffer.from(JSON.stringify(ctyOf(value.type))), plain(value.value, value.type, path)];
  }
  if ('tuple' in type) {
    if (!Array.isArray(value) || value.length !== type.tuple.length) throw unfit(path, 'a tuple');
    return value.map((each, i) => plain(each, type.tuple[i]!, [...path, i]));
  }
  if ('list' in type || 'set' in type) {
    if (!Array.isArray(value)) throw unfit(path, 'a list');
    return 'list' in type
      ? value.map((each, i) => plain(each, type.list, [...path, i]))
      : value.map((each) => plain(each, type.set, path));
  }
  if (!isValues(value)) throw unfit(path, 'an object');
  if ('map' in type)
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, plain(each, type.map, [...path, { key }])]),
    );
  const strange = Object.keys(value).find((name) => !Object.hasOwn(type.object, name));
  if (strange !== undefined) throw unfit([...path, strange], 'in the schema');
  return Object.fromEntries(
    Object.entries(type.object).map(([name, each]) => {
      const own = Object.hasOwn(value, name) ? value[name] : undefined;
      if (own === undefined) throw unfit([...path, name], 'there');
      return [name, plain(own, each, [...path, name])];
    }),
  );
}

/** Fractions go as text: a binary fraction would be another number than the decimal one in a configuration. */
function plainNumber(value: Value, path: Path): unknown {
  if (value instanceof Decimal && normal(value.text) !== undefined) return value.text;
  if (typeof value === 'bigint') return value < LARGEST && value >= -LARGEST ? value : String(value);
  if (typeof value !== 'number' || Number.isNaN(value)) throw unfit(path, 'a number');
  if (!Number.isFinite(value)) return value;
  if (!Number.isInteger(value)) return String(value);
  return Math.abs(value) < 2 ** 31 ? value : plainNumber(BigInt(value), path);
}

function unfit(path: Path, what: string): WireError {
  return new WireError('VALUE_UNFIT', `not ${what}`, path);
}
