import type { ClientRequest, IncomingMessage } from 'node:http';

export type PostAnswer = {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** Its JSON, undefined where it is none. */
  readonly body: unknown;
};

const ANSWER_MS = 10_000;
const MOST_BYTES = 65_536;

/**
 * Sends `body` as JSON on the request that `open` begins, and reads the whole answer, which is bounded in time and size. Redirects are not followed.
 * @throws what ended it otherwise
 */
export async function postJson(
  open: (signal: AbortSignal) => ClientRequest,
  body: object,
  signal: AbortSignal,
): Promise<PostAnswer> {
  const request = open(AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]));
  const payload = Buffer.from(JSON.stringify(body));
  request.setHeader('Content-Type', 'application/json');
  request.setHeader('Content-Length', payload.length);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', reject);
    request.end(payload);
  });
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > MOST_BYTES) {
      response.destroy();
      throw Object.assign(new Error(`an answer of over ${MOST_BYTES} bytes`), { code: 'answer_too_large' });
    }
    pieces.push(piece);
  }
  const { statusCode: status = 0, headers } = response;
  return { status, retryAfter: headers['retry-after'], body: parsed(Buffer.concat(pieces).toString()) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
