type Malformed = (why: string) => Error;

/** An object of these fields and no other, given as itself or as its JSON text. */
export function objectOf(
  given: unknown,
  fields: readonly string[],
  malformed: Malformed,
): Record<string, unknown> {
  const value = typeof given === 'string' ? jsonOf(given, malformed) : given;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed('that is no object');
  const names = Object.keys(value);
  if (names.length !== fields.length || !fields.every((name) => Object.hasOwn(value, name)))
    throw malformed(`whose fields are not ${fields.join(', ')}`);
  return value as Record<string, unknown>;
}

export function arrayOf(value: unknown, most: number, malformed: Malformed): unknown[] {
  if (!Array.isArray(value)) throw malformed('without a list');
  if (value.length > most) throw malformed(`with a list of over ${most}`);
  return value;
}

export function versionOf(value: unknown, least: number, malformed: Malformed): number {
  if (!Number.isSafeInteger(value) || (value as number) < least) throw malformed('without a version');
  return value as number;
}

export function instantOf(value: unknown, malformed: Malformed): Date {
  const instant = new Date(typeof value === 'string' ? value : Number.NaN);
  if (Number.isNaN(instant.getTime()) || instant.toISOString() !== value)
    throw malformed('without an instant');
  return instant;
}

export function isText(value: unknown, most: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= most;
}

function jsonOf(text: string, malformed: Malformed): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed('that is not JSON');
  }
}
