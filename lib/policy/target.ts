import { type IdPattern, matchesPattern, parseTargetPattern, type SpiffeId } from '../spiffe/index.ts';

/** The service that a document protects, or by a pattern every service that it matches. Made only by `parseTarget`. */
export class Target {
  readonly #text: string;
  readonly #pattern: IdPattern;
  readonly isPattern: boolean;

  /** @internal */
  constructor(text: string, pattern: IdPattern) {
    this.#text = text;
    this.#pattern = pattern;
    this.isPattern = text.includes('*');
  }

  covers(id: SpiffeId): boolean {
    return matchesPattern(this.#pattern, id);
  }

  /** Whether there could be a service that both are for. */
  overlaps(other: Target): boolean {
    const [a, b] = [this.#pattern, other.#pattern];
    if (a.trustDomain !== b.trustDomain) return false;
    const [x, y] = [a.segments.length, b.segments.length];
    // an open end stands for one segment at least
    const lengths = a.openEnded ? b.openEnded || y > x : b.openEnded ? x > y : x === y;
    return lengths && a.segments.every((segment, i) => agree(segment, b.segments[i]));
  }

  toString(): string {
    return this.#text;
  }
  toJSON(): string {
    return this.#text;
  }
}

/** @throws SpiffeError when it is neither a SPIFFE ID nor a pattern of them */
export function parseTarget(text: string): Target {
  return new Target(text, parseTargetPattern(text));
}

function agree(a: string, b: string | undefined): boolean {
  return b === undefined || a === b || a === '*' || b === '*';
}
