/** What a value of a stranger's JSON is, or what stands for its absence. */

export type Json = Readonly<Record<string, unknown>>;

const NOTHING: Json = {};

export function recordOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : NOTHING;
}

/** The objects of a list; what is none of them stands as an empty one, so that positions stay. */
export function recordsOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(recordOf) : [];
}

/** The pairs whose value is a text. */
export function textsOf(value: unknown): Readonly<Record<string, string>> {
  const pairs = Object.entries(recordOf(value)).filter(([, text]) => typeof text === 'string');
  return Object.fromEntries(pairs) as Record<string, string>;
}

export function textIn(record: Json, name: string): string | undefined {
  const value = Object.hasOwn(record, name) ? record[name] : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A key as one reference token of a JSON pointer, RFC 6901 §3. */
export function escaped(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
