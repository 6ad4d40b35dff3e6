import { SignetError } from '../errors.ts';

export type SpiffeErrorCode =
  | 'SPIFFE_TOO_LONG'
  | 'SPIFFE_BAD_SCHEME'
  | 'SPIFFE_BAD_TRUST_DOMAIN'
  | 'SPIFFE_NO_PATH'
  | 'SPIFFE_BAD_PATH'
  | 'SPIFFE_UPPER_CASE'
  | 'SPIFFE_BAD_PATTERN';

export class SpiffeError extends SignetError<SpiffeErrorCode> {
  override readonly name = 'SpiffeError';
}

const SCHEME = 'spiffe://';
const MAX_ID_BYTES = 2048;
const MAX_TRUST_DOMAIN_BYTES = 255;
const TRUST_DOMAIN = /^[a-z0-9._-]+$/;
const SEGMENT = /^[a-zA-Z0-9._-]+$/;

/** A workload's SPIFFE ID: parsed, lower case, with a path. Made only by `parseSpiffeId`. */
export class SpiffeId {
  readonly trustDomain: string;
  /** From the slash on: `/ns/shop/sa/orders`. */
  readonly path: string;
  readonly segments: readonly string[];
  readonly #text: string;

  private constructor(trustDomain: string, segments: readonly string[]) {
    this.trustDomain = trustDomain;
    this.segments = segments;
    this.path = `/${segments.join('/')}`;
    this.#text = `${SCHEME}${trustDomain}${this.path}`;
  }

  toString(): string {
    return this.#text;
  }
  toJSON(): string {
    return this.#text;
  }
  equals(other: SpiffeId): boolean {
    return this.#text === other.#text;
  }

  /**
   * @internal For those who have parsed the parts: the parser and the templates. Everyone else calls `parseSpiffeId`.
   * @throws SpiffeError `SPIFFE_TOO_LONG`, which parts that are each short enough may add up to
   */
  static of(trustDomain: string, segments: readonly string[]): SpiffeId {
    const id = new SpiffeId(trustDomain, segments);
    if (id.#text.length > MAX_ID_BYTES) throw tooLong();
    return id;
  }
}

/**
 * A trust domain's name, SPIFFE-ID §2.1: at most 255 bytes of `[a-z0-9._-]`.
 * @throws SpiffeError `SPIFFE_BAD_TRUST_DOMAIN`
 */
export function parseTrustDomain(text: string): string {
  if (text.length > MAX_TRUST_DOMAIN_BYTES || !TRUST_DOMAIN.test(text)) {
    throw new SpiffeError(
      'SPIFFE_BAD_TRUST_DOMAIN',
      `not a trust domain: ${shown(text)} (1 to ${MAX_TRUST_DOMAIN_BYTES} of a-z 0-9 . _ -)`,
    );
  }
  return text;
}

/**
 * A workload's SPIFFE ID, SPIFFE-ID §2. Stricter than the standard in one point: the path is lower case only, because Vault
 * compares entity aliases without case and two IDs that differ in case would be one entity.
 * @throws SpiffeError with the first rule the text breaks
 */
export function parseSpiffeId(text: string): SpiffeId {
  if (text.length > MAX_ID_BYTES) throw tooLong();
  if (!text.startsWith(SCHEME)) {
    throw new SpiffeError('SPIFFE_BAD_SCHEME', `not a SPIFFE ID: ${shown(text)} (it starts with ${SCHEME})`);
  }
  const slash = text.indexOf('/', SCHEME.length);
  const trustDomain = parseTrustDomain(text.slice(SCHEME.length, slash === -1 ? undefined : slash));
  if (slash === -1)
    throw new SpiffeError('SPIFFE_NO_PATH', `a workload's SPIFFE ID has a path: ${shown(text)}`);
  const segments = text.slice(slash + 1).split('/');
  for (const segment of segments) checkSegment(segment, text);
  return SpiffeId.of(trustDomain, segments);
}

/** IDs below `/signet/` are Signet's own (the broker's certificate); no entry may claim one. */
export function isReserved(id: SpiffeId): boolean {
  return id.segments[0] === 'signet';
}

function checkSegment(segment: string, whole: string): void {
  if (!SEGMENT.test(segment) || segment === '.' || segment === '..') {
    throw new SpiffeError('SPIFFE_BAD_PATH', `bad path segment ${shown(segment)} in ${shown(whole)}`);
  }
  if (segment !== segment.toLowerCase()) {
    throw new SpiffeError('SPIFFE_UPPER_CASE', `upper case in ${shown(whole)}: Signet's IDs are lower case`);
  }
}

function tooLong(): SpiffeError {
  return new SpiffeError('SPIFFE_TOO_LONG', `SPIFFE ID of over ${MAX_ID_BYTES} bytes`);
}

function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}
