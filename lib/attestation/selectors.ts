/**
 * What an attestor verified about a workload: `ssh-host:key` → `["SHA256:…"]`. A key may hold several values
 * (a host certificate's principals); an entry's selector is met when its value is one of them.
 */
export type Selectors = ReadonlyMap<string, readonly string[]>;

const KEY = /^[a-z][a-z0-9-]*:(?:[a-z]+:)?[a-zA-Z0-9][a-zA-Z0-9._/-]*$/;

/** Builds selectors from an attestor's findings; a key without a value is left out. */
export function selectors(
  found: Readonly<Record<string, readonly string[] | string | undefined>>,
): Selectors {
  const map = new Map<string, readonly string[]>();
  for (const [key, value] of Object.entries(found)) {
    const values = typeof value === 'string' ? [value] : (value ?? []);
    if (values.length > 0) map.set(key, values);
  }
  return map;
}

/** A selector's key: `<method>:<claim>` or `<method>:<kind>:<name>`, at most 128 characters. Undefined when it is not one. */
export function parseSelectorKey(text: string): string | undefined {
  return text.length <= 128 && KEY.test(text) ? text : undefined;
}
