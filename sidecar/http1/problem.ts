import { STATUS_CODES } from 'node:http';

/** A refusal as the caller is told of it (RFC 9457). Every member beside these is an extension member. */
export type Problem = {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly [extension: string]: unknown;
};

/**
 * The whole response. `close` announces that the connection ends with it; `head` leaves the body out, as a HEAD request wants it.
 * Extra header lines, each with its CRLF, may be given in `fields`.
 */
export function problemResponse(
  problem: Problem,
  options: { readonly close: boolean; readonly head?: boolean; readonly fields?: string },
): Buffer {
  const title = STATUS_CODES[problem.status] ?? 'Error';
  const body = JSON.stringify({ type: 'about:blank', title, ...problem });
  const lines = [
    `HTTP/1.1 ${problem.status} ${title}\r\n`,
    'content-type: application/problem+json\r\n',
    `content-length: ${Buffer.byteLength(body)}\r\n`,
    'cache-control: no-store\r\n',
    options.close ? 'connection: close\r\n' : '',
    options.fields ?? '',
    '\r\n',
    options.head ? '' : body,
  ];
  return Buffer.from(lines.join(''));
}
