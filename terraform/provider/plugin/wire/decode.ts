import { Decoder, ExtensionCodec } from '@msgpack/msgpack';
import type { Path } from '../diagnostics.ts';
import type { Type } from '../schema.ts';
import { typeOfCty } from '../types.ts';
import { Decimal, Dynamic, UNKNOWN, type Value } from '../values.ts';
import { WireError } from './error.ts';
import { numberOf } from './numbers.ts';

/** A value as the protocol has it: in one of two encodings. Both empty is null. */
export type DynamicValue = { readonly msgpack?: Uint8Array; readonly json?: Uint8Array };

/** An unknown value, bare and with what is known of it all the same: that it is not null, how it begins, its bounds. We use none of that. */
const UNKNOWN_EXTENSIONS = [0, 12];

const extensions = new ExtensionCodec();
for (const type of UNKNOWN_EXTENSIONS)
  extensions.register({ type, encode: () => null, decode: () => UNKNOWN });

/**
 * Reads a value of this type.
 * @throws WireError `VALUE_MALFORMED`
 */
export function decodeValue(given: DynamicValue | null | undefined, type: Type): Value {
  const { msgpack, json } = given ?? {};
  if (msgpack && msgpack.length > 0) return read(unpack(msgpack), type, [], 'exact');
  if (json && json.length > 0) return decodeJson(json, type);
  return null;
}

/** Reads a value that was kept as JSON, perhaps by another version: what is missing is null, and what is not known is left out. */
export function decodeJson(json: Uint8Array, type: Type): Value {
  return read(parseJson(json), type, [], 'lenient');
}

/** JSON with its numbers to the last digit. @throws WireError `VALUE_MALFORMED` */
export function parseJson(json: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(json).toString('utf8'), exactly);
  } catch (cause) {
    throw new WireError('VALUE_MALFORMED', 'not JSON', [], { cause });
  }
}

function exactly(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || context?.source === undefined) return value;
  return numberOf(context.source) ?? value;
}

function unpack(bytes: Uint8Array): unknown {
  // No length that is told may be larger than what is there.
  const most = bytes.length;
  try {
    return new Decoder({
      extensionCodec: extensions,
      useBigInt64: true,
      maxStrLength: most,
      maxBinLength: most,
      maxArrayLength: most,
      maxMapLength: most,
      maxExtLength: most,
    }).decode(bytes);
  } catch (cause) {
    throw new WireError('VALUE_MALFORMED', 'not msgpack', [], { cause });
  }
}

type Mode = 'exact' | 'lenient';

function read(raw: unknown, type: Type, path: Path, mode: Mode): Value {
  if (raw === null || raw === undefined) return null;
  if (raw === UNKNOWN) return UNKNOWN;
  if (type === 'number') return readNumber(raw, path);
  if (type === 'string' || type === 'bool') {
    if (typeof raw === (type === 'bool' ? 'boolean' : 'string')) return raw as string | boolean;
    throw malformed(path, `no ${type}`);
  }
  if (type === 'dynamic') return readDynamic(raw, path, mode);
  if ('tuple' in type) {
    if (!Array.isArray(raw) || raw.length !== type.tuple.length) throw malformed(path, 'no tuple');
    return raw.map((each, i) => read(each, type.tuple[i]!, [...path, i], mode));
  }
  if ('list' in type || 'set' in type) {
    const [element, at] = 'list' in type ? [type.list, path] : [type.set, path];
    if (!Array.isArray(raw)) throw malformed(path, 'no list');
    return raw.map((each, i) => read(each, element, 'list' in type ? [...at, i] : at, mode));
  }
  if (!isRecord(raw)) throw malformed(path, 'no object');
  if ('map' in type)
    return Object.fromEntries(
      Object.entries(raw).map(([key, each]) => [key, read(each, type.map, [...path, { key }], mode)]),
    );
  const names = Object.keys(type.object);
  if (mode === 'exact') {
    const strange = Object.keys(raw).find((name) => !Object.hasOwn(type.object, name));
    const missing = names.find((name) => !Object.hasOwn(raw, name));
    if (strange !== undefined || missing !== undefined) throw malformed(path, 'other attributes');
  }
  return Object.fromEntries(
    names.map((name) => [
      name,
      read(Object.hasOwn(raw, name) ? raw[name] : null, type.object[name]!, [...path, name], mode),
    ]),
  );
}

/** In msgpack a pair of the type, as JSON, and the value; in JSON an object of both. */
function readDynamic(raw: unknown, path: Path, mode: Mode): Value {
  const [told, value] =
    mode === 'lenient' && isRecord(raw)
      ? [raw['type'], raw['value']]
      : Array.isArray(raw) && raw.length === 2 && raw[0] instanceof Uint8Array
        ? [parseJson(raw[0]), raw[1] as unknown]
        : [];
  const type = typeOfCty(told);
  if (type === undefined) throw malformed(path, 'no value with its type');
  return new Dynamic(type, read(value, type, path, mode));
}

function readNumber(raw: unknown, path: Path): Value {
  if (typeof raw === 'bigint') return Number.isSafeInteger(Number(raw)) ? Number(raw) : raw;
  if (typeof raw === 'number' && !Number.isNaN(raw))
    return Number.isInteger(raw) && !Number.isSafeInteger(raw) ? BigInt(raw) : raw;
  if (raw instanceof Decimal) return raw;
  const number = typeof raw === 'string' ? numberOf(raw) : undefined;
  if (number === undefined) throw malformed(path, 'no number');
  return number;
}

function isRecord(raw: unknown): raw is Record<string, unknown> {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return false;
  const prototype = Object.getPrototypeOf(raw);
  return prototype === Object.prototype || prototype === null;
}

function malformed(path: Path, what: string): WireError {
  return new WireError('VALUE_MALFORMED', what, path);
}
