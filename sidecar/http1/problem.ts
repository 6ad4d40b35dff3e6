import { STATUS_CODES } from '../../lib/adapter/http.ts';

/** A refusal as the caller is told of it (RFC 9457). Every member beside these is an extension member. */
export type Problem = {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly [extension: string]: unknown;
};

export const PROBLEM_TYPE = 'application/problem+json';

/** The body of the answer. */
export function problemDocument(problem: Problem): string {
  return JSON.stringify({ type: 'about:blank', title: titleOf(problem), ...problem });
}

/**
 * The whole response. `close` announces that the connection ends with it; `head` leaves the body out, as a HEAD request wants it.
 * Extra header lines, each with its CRLF, may be given in `fields`.
 */
export function problemResponse(
  problem: Problem,
  options: { readonly close: boolean; readonly head?: boolean; readonly fields?: string },
): Buffer {
  const body = problemDocument(problem);
  const lines = [
    `HTTP/1.1 ${problem.status} ${titleOf(problem)}\r\n`,
    `content-type: ${PROBLEM_TYPE}\r\n`,
    `content-length: ${Buffer.byteLength(body)}\r\n`,
    'cache-control: no-store\r\n',
    options.close ? 'connection: close\r\n' : '',
    options.fields ?? '',
    '\r\n',
    options.head ? '' : body,
  ];
  return Buffer.from(lines.join(''));
}

function titleOf({ status }: Problem): string {
  return STATUS_CODES[status] ?? 'Error';
}
