import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Access, AccessTls } from './access.ts';
import { OversizeError } from './error.ts';

export type WireRequest = {
  readonly method: string;
  /** Path and query, below the server's own path: at one address there may be several clusters. */
  readonly target: string;
  readonly body?: { readonly type: string; readonly bytes: Buffer };
  readonly signal: AbortSignal;
};

const IDLE_MS = 60_000;
/** Dead peers of a watch are found by the kernel. */
const PROBE_MS = 30_000;

/**
 * HTTPS requests over kept-alive connections. Of the client package no request goes out: it bounds neither time nor size, its errors
 * carry headers and bodies, and its 80 MB are not needed for it.
 */
export class Transport implements Disposable {
  #tls: AccessTls | undefined;
  #agent: https.Agent | undefined;
  readonly #maxSockets: number;

  constructor(maxSockets: number) {
    this.#maxSockets = maxSockets;
  }

  /** The answer's head; its body is for the caller to read. Node's errors are thrown as they are. */
  async open({ server, tls, token }: Access, request: WireRequest): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const { method, target, body, signal } = request;
    const outgoing = https.request(new URL(`${server.pathname.replace(/\/+$/, '')}${target}`, server), {
      method,
      signal,
      agent: this.#agentFor(tls),
      headers: {
        // Of its keys it answers in another type, and refuses to do so unasked.
        accept: 'application/json, */*;q=0.1',
        'user-agent': 'signet',
        ...(token === undefined ? {} : { authorization: `Bearer ${token.reveal()}` }),
        ...(body === undefined ? {} : { 'content-type': body.type, 'content-length': body.bytes.length }),
      },
    });
    outgoing.on('response', resolve);
    outgoing.on('error', reject);
    outgoing.on('socket', (socket) => socket.setKeepAlive(true, PROBE_MS));
    outgoing.end(body?.bytes);
    return await promise;
  }

  /** Connections are those of one credential. The old ones end what they carry and then idle out. */
  #agentFor(tls: AccessTls): https.Agent {
    if (this.#agent !== undefined && this.#tls !== undefined && sameTls(this.#tls, tls)) return this.#agent;
    this.#tls = tls;
    this.#agent = new https.Agent({
      ...tls,
      keepAlive: true,
      maxSockets: this.#maxSockets,
      timeout: IDLE_MS,
      minVersion: 'TLSv1.2',
      // Said outright, or NODE_TLS_REJECT_UNAUTHORIZED=0 would decide; and a resumed session would not be judged again.
      rejectUnauthorized: true,
      maxCachedSessions: 0,
    });
    return this.#agent;
  }

  [Symbol.dispose](): void {
    this.#agent?.destroy();
  }
}

const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

/** Undefined for what is no JSON. @throws OversizeError */
export async function readJson(
  what: string,
  response: IncomingMessage,
  most = MAX_ANSWER_BYTES,
): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += chunk.length;
    if (size > most) throw new OversizeError(what, most);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    return undefined;
  }
}

function sameTls(a: AccessTls, b: AccessTls): boolean {
  return a === b || (a.ca === b.ca && a.cert === b.cert && a.key === b.key && a.servername === b.servername);
}
