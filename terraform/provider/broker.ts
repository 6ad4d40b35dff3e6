import { Agent, request } from 'node:https';
import { type BrokerTrust, brokerTls, isUntrusted } from '../../lib/adapter/broker-tls.ts';
import { ExchangeError, exchange, field, type Reply } from '../../lib/adapter/exchange.ts';
import type { Secret } from '../../lib/secret.ts';
import { type Path, ProviderError, problem, whileBusy } from './plugin/index.ts';

export type BrokerAddress = BrokerTrust & { readonly url: URL };

/** What the broker says to a call that it does not do, RFC 9457. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  readonly code: string;
  /** What is wrong with the body, each by its JSON pointer. */
  readonly defects: readonly { readonly pointer: string; readonly message: string }[];
  /** Milliseconds. */
  readonly retryAfter: number | undefined;
  readonly body: unknown;
  constructor({ status, headers, body }: Reply) {
    const text = (name: string) =>
      typeof field(body, name) === 'string' ? String(field(body, name)) : undefined;
    super([text('title') ?? `status ${status}`, text('detail')].filter(Boolean).join(': '));
    this.status = status;
    this.body = body;
    this.code = text('code') ?? `status_${status}`;
    const errors = field(body, 'errors');
    this.defects = (Array.isArray(errors) ? errors : []).map((each) => ({
      pointer: String(field(each, 'pointer') ?? ''),
      message: String(field(each, 'message') ?? ''),
    }));
    const seconds = Number(headers['retry-after']);
    this.retryAfter = Number.isFinite(seconds) ? seconds * 1000 : undefined;
  }
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface Asking {
  readonly token?: Secret;
  readonly body?: object;
  readonly signal: AbortSignal;
  /** Sends it once, whatever the answer: what it holds is spent by being sent. */
  readonly once?: boolean;
}

/** Connections to the broker, which is believed by the pinned authority and its own SPIFFE ID. */
export interface Broker {
  /**
   * One call of its API, again while it is busy or cannot be reached.
   * @throws Refusal; ProviderError when it cannot be reached, or is not the broker
   */
  call(method: Method, path: string, asking: Asking): Promise<unknown>;
}

const ANSWER = { timeoutMs: 30_000, maxBytes: 16 * 1024 * 1024 };

export function openBroker({ url, ca, trustDomain }: BrokerAddress): Broker {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 8,
    maxCachedSessions: 0,
    ...brokerTls({ ca, trustDomain }),
  });
  return {
    async call(method, path, { token, body, signal, once = false }) {
      const headers = {
        Accept: 'application/json',
        ...(token && { 'X-Vault-Token': token.reveal() }),
      };
      const open = (within: AbortSignal) =>
        request(new URL(path, url), { agent, method, headers, signal: within });
      const attempt = async () => {
        const reply = await exchange(open, body, ANSWER, signal);
        if (reply.status >= 400) throw new Refusal(reply);
        return reply.body;
      };
      const isBusy = (error: unknown) => (once ? undefined : busy(error));
      try {
        return await whileBusy(attempt, { signal, isBusy });
      } catch (error) {
        throw error instanceof ExchangeError && !signal.aborted ? unreachable(error, url) : error;
      }
    },
  };
}

/** Every call may be sent again: what was done already is found done. */
function busy(error: unknown) {
  if (error instanceof Refusal) {
    const again = error.status === 429 || error.status === 503 || error.code === 'concurrent_write';
    return again ? { ...(error.retryAfter !== undefined && { after: error.retryAfter }) } : undefined;
  }
  const { cause } = error as ExchangeError;
  return error instanceof ExchangeError && !(cause instanceof Error && isUntrusted(cause)) ? {} : undefined;
}

const BROKER: Path = ['broker'];

function unreachable({ code, cause }: ExchangeError, { host }: URL): ProviderError {
  const why = cause instanceof Error ? cause : undefined;
  if (why && isUntrusted(why))
    return new ProviderError(
      problem(
        'Whoever answers there is not the broker',
        `${host} showed a certificate that is not of broker_ca, or not the broker's of this trust_domain (BROKER_UNTRUSTED).`,
        BROKER,
      ),
    );
  const reason = String((why as NodeJS.ErrnoException | undefined)?.code ?? code);
  return new ProviderError(
    problem(
      'The broker cannot be reached',
      `${host} gave no answer, after several tries: ${reason}.`,
      BROKER,
    ),
  );
}
