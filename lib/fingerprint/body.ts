import { hash } from 'node:crypto';

/** Longer bodies are not held until they are whole, and so not covered. */
export const MOST_COVERED = 65_536;

/** How a request's body is framed. */
export type Framing = {
  /** -1 without. */
  readonly contentLength: number;
  readonly chunked: boolean;
  /** The body comes only after it was asked for. */
  readonly expect: boolean;
};

/** Whether a proof covers the body: one of a length that is known and small, that comes without being asked for. */
export function isCovered({ contentLength, expect }: Framing): boolean {
  return contentLength > 0 && contentLength <= MOST_COVERED && !expect;
}

/**
 * What a proof says of the body: null where there is none, that it is not covered, or its digest as `Content-Digest` has it (RFC 9530).
 * `content` is null where it is not covered.
 */
export function bodyClaim({ contentLength, chunked }: Framing, content: Uint8Array | null): string | null {
  if (contentLength <= 0 && !chunked) return null;
  return content === null ? UNCOVERED : `sha-256=:${hash('sha256', content, 'base64')}:`;
}

const UNCOVERED = 'uncovered';
