import http from 'node:http';
import https from 'node:https';
import { VaultError } from './vault-error.ts';

export type TransportOptions = {
  readonly address: URL;
  readonly caCert?: string;
  readonly maxSockets: number;
};

export type WireRequest = {
  readonly method: string;
  readonly uri: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly signal: AbortSignal;
};

export type WireReply = { readonly statusCode: number; readonly body: unknown };

const MAX_REPLY_BYTES = 16 * 1024 * 1024;
const IDLE_MS = 60_000;

/**
 * One HTTP exchange a call, over kept-alive connections. In place of node-vault's own HTTP client, which follows redirects with
 * the token still on the request, obeys `http_proxy`, and cannot be cancelled.
 */
export class Transport implements Disposable {
  readonly #agent: http.Agent;
  readonly #request: typeof http.request;

  constructor({ address, caCert, maxSockets }: TransportOptions) {
    const options = { keepAlive: true, maxSockets, timeout: IDLE_MS };
    const secure = address.protocol === 'https:';
    this.#request = secure ? https.request : http.request;
    this.#agent = secure
      ? new https.Agent({
          ...options,
          ...(caCert === undefined ? {} : { ca: caCert }),
          minVersion: 'TLSv1.2',
          // Said outright, or NODE_TLS_REJECT_UNAUTHORIZED=0 would decide; and a resumed session would not be judged again.
          rejectUnauthorized: true,
          maxCachedSessions: 0,
        })
      : new http.Agent(options);
  }

  /** @throws VaultError `VAULT_UNAVAILABLE`; when `signal` fires, its reason */
  async send({ method, uri, headers, json, signal }: WireRequest): Promise<WireReply> {
    const body = json === undefined ? undefined : Buffer.from(JSON.stringify(json));
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    const request = this.#request(uri, {
      method,
      agent: this.#agent,
      signal,
      headers: {
        ...headers,
        ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
      },
    });
    request.on('response', resolve);
    request.on('error', reject);
    request.end(body);
    try {
      const response = await promise;
      return { statusCode: response.statusCode ?? 0, body: parse(await read(response)) };
    } catch (cause) {
      signal.throwIfAborted();
      throw cause instanceof VaultError
        ? cause
        : new VaultError('VAULT_UNAVAILABLE', reasonOf(cause), { cause });
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

async function read(response: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += chunk.length;
    if (size > MAX_REPLY_BYTES) throw new VaultError('VAULT_UNAVAILABLE', 'an answer of over 16 MiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Vault answers in JSON; what stands in front of it may not. Such a body says nothing to us. */
function parse(bytes: Buffer): unknown {
  try {
    return bytes.length === 0 ? undefined : JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

/** Node's code (`ECONNREFUSED`, `CERT_HAS_EXPIRED`), never its message, which may quote an address with credentials. */
function reasonOf(cause: unknown): string {
  const code = (cause as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : 'the connection broke';
}
