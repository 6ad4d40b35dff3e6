/** `/orders/{id}`: each segment literal or, as null, any one segment that is not empty; `open` if `/**` follows: something below. */
export type PathTemplate = { readonly segments: readonly (string | null)[]; readonly open: boolean };

const MAX_PATH = 2048;
/** A segment in the one spelling that the data plane forwards: RFC 3986 pchar without `;`, escapes in capitals. */
const SEGMENT = /^(?:[A-Za-z0-9\-._~!$&'()*+,=:@]|%[0-9A-F]{2})*$/;
/** Escapes that never reach policy: of bytes that stand for themselves, of controls, of slash and backslash. */
const NEEDLESS_ESCAPE = /%(?:[01][0-9A-F]|2[146-9A-F]|3[0-9AD]|4[0-9A-F]|5[0-9AF]|5C|6[1-9A-F]|7[0-9AEF])/;
const PLACEHOLDER = /^\{[a-z][a-zA-Z0-9_]{0,63}\}$/;
const BELOW = '/**';

/** What is wrong with a path as a policy may name it, or null. Such a path can be equal to a request's, any other never is. */
export function pathFlaw(path: string): string | null {
  if (!path.startsWith('/')) return 'a path that starts with /';
  if (path.length > MAX_PATH) return `a path of at most ${MAX_PATH} characters`;
  const segments = path.slice(1).split('/');
  // The last one may be empty: `/orders/` is another path than `/orders`.
  if (segments.slice(0, -1).includes('')) return 'a path without empty segments';
  if (segments.some((segment) => segment === '.' || segment === '..'))
    return 'a path without . and .. segments';
  if (!segments.every((segment) => SEGMENT.test(segment))) {
    return 'a path in canonical form, without query, other characters escaped as %41';
  }
  if (NEEDLESS_ESCAPE.test(path)) return 'a path in canonical form: this escape never reaches policy';
  return null;
}

/** Reads `/orders/{id}/lines/{line}`: a placeholder is a whole segment. A string tells what was expected instead. */
export function parseTemplate(text: string): PathTemplate | string {
  if (text.length > MAX_PATH) return `a path of at most ${MAX_PATH} characters`;
  const open = text.endsWith(BELOW);
  const closed = open ? text.slice(0, -BELOW.length) : text;
  const literal = closed
    .split('/')
    .map((segment) => (PLACEHOLDER.test(segment) ? 'x' : segment))
    .join('/');
  const flaw = open && closed === '' ? null : pathFlaw(literal);
  if (flaw !== null) return `${flaw}, with whole segments such as {id}`;
  if (open && closed.endsWith('/')) return 'a path without empty segments';
  const segments = closed === '' ? [] : closed.slice(1).split('/');
  const names = placeholdersOf(text).map(([name]) => name);
  if (new Set(names).size !== names.length) return 'placeholders of different names';
  return { segments: segments.map((segment) => (PLACEHOLDER.test(segment) ? null : segment)), open };
}

/** Each placeholder of a template's text, and which segment of the path it is. */
export function placeholdersOf(text: string): [name: string, at: number][] {
  const segments = text.slice(1).split('/');
  return segments.flatMap((segment, at): [string, number][] =>
    PLACEHOLDER.test(segment) ? [[segment.slice(1, -1), at]] : [],
  );
}

/** Compares without splitting the path: this runs on every request. */
export function matchesTemplate({ segments, open }: PathTemplate, path: string): boolean {
  let at = 0;
  for (const segment of segments) {
    if (path[at] !== '/') return false;
    at += 1;
    if (segment === null) {
      let end = path.indexOf('/', at);
      if (end === -1) end = path.length;
      if (end === at) return false;
      at = end;
    } else {
      if (!path.startsWith(segment, at)) return false;
      at += segment.length;
    }
  }
  return open ? path[at] === '/' && path.length > at + 1 : at === path.length;
}

/** The text that a segment stands for, its escapes undone; null when the path has no such segment, or an empty one. */
export function segmentOf(path: string, at: number): string | null {
  let start = 1;
  for (let i = 0; i < at; i++) {
    start = path.indexOf('/', start) + 1;
    if (start === 0) return null;
  }
  let end = path.indexOf('/', start);
  if (end === -1) end = path.length;
  if (end <= start || path[0] !== '/') return null;
  const segment = path.slice(start, end);
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}

/** By whole segments: `/orders` is the start of `/orders` and `/orders/7`, not of `/orders-old`; `/orders/` only of what lies below. */
export function startsWith(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false;
  return prefix.endsWith('/') || path.length === prefix.length || path[prefix.length] === '/';
}
