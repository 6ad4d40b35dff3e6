import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { SignetError } from '../errors.ts';

export type ExchangeErrorCode = 'EXCHANGE_FAILED' | 'EXCHANGE_TIMEOUT' | 'EXCHANGE_TOO_LARGE';

/** No usable answer came. `cause` says why; the request may or may not have had its effect. */
export class ExchangeError extends SignetError<ExchangeErrorCode> {
  override readonly name = 'ExchangeError';
}

/** `body` is the parsed JSON, or undefined when it is none. */
export type Reply = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
};

export type ExchangeBounds = { readonly timeoutMs: number; readonly maxBytes: number };

/** Half of a broker's or Vault's answer is certificates; none comes near this. */
export const MAX_ANSWER_BYTES = 256 * 1024;

/**
 * Sends `body` as JSON on a request that `open` starts, and reads the whole answer. Every status is an answer; redirects are not followed.
 * @throws ExchangeError
 */
export async function exchange(
  open: (signal: AbortSignal) => ClientRequest,
  body: unknown,
  bounds: ExchangeBounds,
  signal: AbortSignal,
): Promise<Reply> {
  const timeout = AbortSignal.timeout(bounds.timeoutMs);
  try {
    const request = open(AbortSignal.any([signal, timeout]));
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    if (payload !== undefined) {
      request.setHeader('Content-Type', 'application/json');
      request.setHeader('Content-Length', payload.length);
    }
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.on('error', reject);
      request.end(payload);
    });
    const text = await readText(response, bounds.maxBytes);
    return { status: response.statusCode ?? 0, headers: response.headers, body: parse(text) };
  } catch (error) {
    if (error instanceof ExchangeError) throw error;
    if (timeout.aborted && !signal.aborted)
      throw new ExchangeError('EXCHANGE_TIMEOUT', `no answer in ${bounds.timeoutMs} ms`);
    throw new ExchangeError('EXCHANGE_FAILED', 'the connection failed', { cause: error });
  }
}

/** A field of a JSON object, undefined of anything else. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

async function readText(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) {
      response.destroy();
      throw new ExchangeError('EXCHANGE_TOO_LARGE', `an answer of over ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
