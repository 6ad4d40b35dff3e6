import { parseSpiffeId, parseTrustDomain, SpiffeError, type SpiffeId } from './id.ts';

/** A SPIFFE ID in which a whole segment may be `*` (any one segment) and the last may be `**` (one or more). */
export type IdPattern = {
  readonly trustDomain: string;
  readonly segments: readonly string[];
  readonly openEnded: boolean;
};

const SEGMENT = /^[a-z0-9._-]+$/;
const PREFIX = 'spiffe://';

/**
 * Whether a value may stand as one segment of an ID that Signet issues. This is the guard against glob injection: Vault matches a
 * populated template as a glob, so a `*` from evidence would mint other workloads' IDs.
 */
export function isIdSegment(value: string): boolean {
  return value.length <= 255 && SEGMENT.test(value) && value !== '.' && value !== '..';
}

/**
 * Parses `spiffe://example.org/ns/shop/sa/*` or `spiffe://example.org/ns/shop/**`.
 * @throws SpiffeError `SPIFFE_BAD_PATTERN`, `SPIFFE_BAD_TRUST_DOMAIN`
 */
export function parseIdPattern(text: string): IdPattern {
  const slash = text.indexOf('/', PREFIX.length);
  if (!text.startsWith(PREFIX) || slash === -1) throw bad(text);
  const trustDomain = parseTrustDomain(text.slice(PREFIX.length, slash));
  const segments = text.slice(slash + 1).split('/');
  const openEnded = segments.at(-1) === '**';
  if (openEnded) segments.pop();
  for (const segment of segments) if (segment !== '*' && !isIdSegment(segment)) throw bad(text);
  return { trustDomain, segments, openEnded };
}

/**
 * Parses what a policy is for: one workload by its ID, or by a pattern all that it matches.
 * @throws SpiffeError when it is neither
 */
export function parseTargetPattern(text: string): IdPattern {
  if (text.includes('*')) return parseIdPattern(text);
  // An ID's segments may be longer than those of a pattern.
  const { trustDomain, segments } = parseSpiffeId(text);
  return { trustDomain, segments, openEnded: false };
}

/** Compares segment by segment; a star never crosses a slash. */
export function matchesPattern(pattern: IdPattern, id: SpiffeId): boolean {
  const { segments, openEnded } = pattern;
  if (id.trustDomain !== pattern.trustDomain) return false;
  if (openEnded ? id.segments.length <= segments.length : id.segments.length !== segments.length)
    return false;
  return segments.every((segment, i) => segment === '*' || segment === id.segments[i]);
}

function bad(text: string): SpiffeError {
  return new SpiffeError(
    'SPIFFE_BAD_PATTERN',
    `not an ID pattern: ${JSON.stringify(text.slice(0, 80))} (a SPIFFE ID whose segments may be *, the last one **)`,
  );
}
