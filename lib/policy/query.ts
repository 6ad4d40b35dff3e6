/** What a query has for a name: nothing, one value, several, or what cannot be read in one way. */
export type QueryValue = null | string | readonly string[] | typeof UNREADABLE;

/** There is something, and it cannot be told what. */
export const UNREADABLE = Symbol('unreadable');

/** The values of `name` in `a=1&b=2`, as forms are written: `+` is a blank, `%41` a byte of UTF-8. */
export function queryValue(query: string, name: string): QueryValue {
  let found: string | string[] | null = null;
  for (let start = 0; start < query.length; ) {
    let end = query.indexOf('&', start);
    if (end === -1) end = query.length;
    let equals = query.indexOf('=', start);
    if (equals === -1 || equals > end) equals = end;
    const key = decoded(query, start, equals);
    // Its name might be this one.
    if (key === null) return UNREADABLE;
    if (key === name) {
      const value = decoded(query, equals + 1, end);
      if (value === null) return UNREADABLE;
      if (found === null) found = value;
      else if (typeof found === 'string') found = [found, value];
      else found.push(value);
    }
    start = end + 1;
  }
  return found;
}

function decoded(query: string, start: number, end: number): string | null {
  const text = query.slice(start, Math.max(start, end));
  if (!text.includes('%') && !text.includes('+')) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return null;
  }
}
