import type { ClientRequest, Agent as HttpAgent } from 'node:http';
import { exchange, type Reply } from '../../lib/adapter/exchange.ts';
import { Agent, request } from '../../lib/adapter/http.ts';
import type { Secret } from '../../lib/secret.ts';

export type Question = { readonly form: Secret; readonly authorization: Secret };

const BOUNDS = { timeoutMs: 4_000, maxBytes: 256 * 1024 };
/** However many tokens somebody makes up, the issuer is not asked about more at once. */
const MOST_CONNECTIONS = 32;
const IDLE_MS = 10_000;

/** The way to one address of an issuer's. */
export class Line implements Disposable {
  readonly url: URL;
  /** PEM; null: the public authorities. */
  private readonly ca: string | null;
  private open: Promise<{ readonly agent: HttpAgent; readonly request: typeof request }> | null = null;
  private readonly closed = new AbortController();

  constructor(url: URL, ca: string | null) {
    this.url = url;
    this.ca = ca;
  }

  /**
   * Asks for a document, or a question by a form. Redirects are answers like others.
   * @throws ExchangeError
   */
  async ask(question: Question | null): Promise<Reply> {
    try {
      return await this.once(question);
    } catch (error) {
      // a kept connection that the other end had closed says nothing of the issuer
      if (!(error instanceof Stale)) throw error;
      return await this.once(question);
    }
  }

  [Symbol.dispose](): void {
    this.closed.abort();
    void this.open?.then(({ agent }) => agent.destroy());
  }

  private async once(question: Question | null): Promise<Reply> {
    const way = await (this.open ??= this.dial());
    let asked: ClientRequest | undefined;
    const begin = (signal: AbortSignal) => {
      asked = way.request(this.url, { ...requestOf(question), agent: way.agent, signal });
      if (question !== null) asked.write(question.form.reveal());
      return asked;
    };
    try {
      return await exchange(begin, undefined, BOUNDS, this.closed.signal);
    } catch (error) {
      const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
      throw asked?.reusedSocket && code === 'ECONNRESET' ? new Stale() : error;
    }
  }

  private async dial() {
    const options = { keepAlive: true, maxSockets: MOST_CONNECTIONS, timeout: IDLE_MS };
    if (this.url.protocol === 'http:') return { agent: new Agent(options), request };
    // plain HTTP is for this machine; node:https would be loaded for nothing
    const secure = await import('node:https');
    const trust = {
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      ...(this.ca === null ? {} : { ca: this.ca }),
    };
    return { agent: new secure.Agent({ ...options, ...trust } as object), request: secure.request };
  }
}

class Stale extends Error {}

function requestOf(question: Question | null) {
  if (question === null) return { method: 'GET', headers: { accept: 'application/json' } };
  return {
    method: 'POST',
    headers: {
      accept: 'application/json',
      authorization: question.authorization.reveal(),
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': Buffer.byteLength(question.form.reveal()),
    },
  };
}
