import { Agent as HttpAgent, request as httpRequest } from '../../lib/adapter/http.ts';
import type { Secret } from '../../lib/secret.ts';
import { exchange, type Reply } from '../identity/exchange.ts';

/** `ca`: PEM; null: the public authorities. */
export type Place = { readonly url: URL; readonly ca: string | null };
export type Question = { readonly form: Secret; readonly authorization: Secret };

const BOUNDS = { timeoutMs: 4_000, maxBytes: 256 * 1024 };

/**
 * Asks an issuer for a document, or a question by a form; each on a connection of its own. Redirects are answers like others.
 * @throws ExchangeError
 */
export async function ask(
  { url, ca }: Place,
  question: Question | null,
  signal: AbortSignal,
): Promise<Reply> {
  const secure = url.protocol === 'https:';
  const { Agent, request } = secure ? await import('node:https') : { Agent: HttpAgent, request: httpRequest };
  const agent = new Agent({
    keepAlive: false,
    ...(secure ? { rejectUnauthorized: true, minVersion: 'TLSv1.2', ...(ca === null ? {} : { ca }) } : {}),
  });
  const open = (bound: AbortSignal) => {
    const options = { agent, signal: bound };
    if (question === null) return request(url, { ...options, headers: { accept: 'application/json' } });
    const form = Buffer.from(question.form.reveal());
    const asked = request(url, {
      ...options,
      method: 'POST',
      headers: {
        accept: 'application/json',
        authorization: question.authorization.reveal(),
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': form.length,
      },
    });
    asked.write(form);
    return asked;
  };
  try {
    return await exchange(open, undefined, BOUNDS, signal);
  } finally {
    agent.destroy();
  }
}
