const MOST_SEGMENTS = 8;
const LONGEST_SEGMENT = 32;
const ID = '{}';
/** Digits; UUIDs and other long numbers in hex. */
const NUMBER = /^\d+$/;
const HEX = /^(?=.*\d)[0-9a-f-]{8,}$/i;

/** The path without what names single things, so that `/orders/1` and `/orders/2` are one. */
export function routeOf(path: string): string {
  const segments = path.split('/', MOST_SEGMENTS + 2);
  let route = '';
  for (let i = 1; i < segments.length; i++) {
    if (i > MOST_SEGMENTS) return `${route}/…`;
    route += `/${isId(segments[i]!) ? ID : segments[i]}`;
  }
  return route;
}

function isId(segment: string): boolean {
  return segment.length > LONGEST_SEGMENT || NUMBER.test(segment) || HEX.test(segment);
}
