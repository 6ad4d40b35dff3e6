import { readJson } from '../json-text.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The JSON object that these bytes are, each of its members once; undefined when they are none. */
export function objectIn(bytes: Uint8Array): JsonObject | undefined {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return undefined;
  }
  // one is enough to refuse it
  const json = readJson(text, 1);
  return json.ok && json.repeated.length === 0 && isObject(json.value) ? json.value : undefined;
}

/** What stands at a JSON pointer (RFC 6901); undefined where nothing does. */
export function valueAt(value: JsonObject, pointer: string): unknown {
  let at: unknown = value;
  for (const token of pointer.split('/').slice(1)) {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as JsonObject)[name];
  }
  return at;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
