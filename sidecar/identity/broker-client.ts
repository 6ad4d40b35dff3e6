import { once } from 'node:events';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { BrokerTlsError, type BrokerTrust, brokerTls, isUntrusted } from '../../lib/adapter/broker-tls.ts';
import {
  type ExchangeBounds,
  ExchangeError,
  exchange,
  MAX_ANSWER_BYTES,
  type Reply,
} from '../../lib/adapter/exchange.ts';
import { Agent, request as httpRequest } from '../../lib/adapter/http.ts';
import type { Secret } from '../../lib/secret.ts';
import { AcquireError } from './acquire-error.ts';
import { type Attested, accepted, type Challenge, readAttested, readChallenge } from './broker-answer.ts';

export type BrokerSettings = BrokerTrust & { readonly url: URL };
/** PEM. */
export type ClientIdentity = { readonly certChainPem: string; readonly keyPem: string };

/** One TLS connection to the broker. Evidence is bound to it, so all of an attestation goes over it and it is never replaced. */
export interface BrokerConnection extends Disposable {
  /** RFC 9266 `EXPORTER-Channel-Binding`, 32 bytes. */
  readonly exporter: Uint8Array;
  challenge(signal: AbortSignal): Promise<Challenge>;
  attest(method: string, challenge: string, evidence: object, signal: AbortSignal): Promise<Attested>;
  /** What is published and newer than `query` says we have; null when nothing came in time. */
  published(query: string, signal: AbortSignal): Promise<unknown>;
  /** The Services of a cluster, if they are others than `query` says we have; null when nothing changed in time. */
  services(query: string, signal: AbortSignal): Promise<unknown>;
  /** Any other call; gives the body of an answer with `status`. @throws AcquireError */
  call(path: string, body: object, status: number, signal: AbortSignal): Promise<unknown>;
  /** Tells the broker that a grant it gave was spent by someone else. */
  alarm(correlationId: string, wrappingToken: Secret, signal: AbortSignal): Promise<void>;
}

const CONNECT_MS = 5_000;
const ANSWER_MS = 10_000;
/** The broker waits for 20 s before it says that there is nothing. 10,000 documents are a few megabytes. */
const PUBLISHED: ExchangeBounds = { timeoutMs: 30_000, maxBytes: 40 * 1024 * 1024 };

/**
 * Connects, and goes on only if the other side proves to be this trust domain's broker: a chain to the pinned authority and the
 * broker's own SPIFFE ID. Its host name says nothing: whoever owns DNS would otherwise be the broker.
 * @throws AcquireError `BROKER_UNREACHABLE`, `BROKER_UNTRUSTED`, `CLOCK_BEHIND`
 */
export async function connectBroker(
  settings: BrokerSettings,
  identity: ClientIdentity | null,
  signal: AbortSignal,
): Promise<BrokerConnection> {
  const socket = await openSocket(settings, identity, signal);
  const exporter = socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let handedOut = false;
  agent.createConnection = () => {
    if (handedOut) throw new ExchangeError('EXCHANGE_FAILED', 'the broker ended the connection');
    handedOut = true;
    return socket;
  };
  const ask = async (
    method: 'GET' | 'POST',
    path: string,
    body: unknown,
    signal: AbortSignal,
    bounds: ExchangeBounds = { timeoutMs: ANSWER_MS, maxBytes: MAX_ANSWER_BYTES },
  ): Promise<Reply> => {
    const open = (bound: AbortSignal) =>
      httpRequest({
        agent,
        method,
        path,
        headers: { Host: settings.url.host, Accept: 'application/json' },
        signal: bound,
      });
    try {
      return await exchange(open, body, bounds, signal);
    } catch (cause) {
      throw new AcquireError('BROKER_UNREACHABLE', `the broker did not answer ${path}`, { cause });
    }
  };
  return {
    exporter,
    async challenge(signal) {
      const reply = accepted(await ask('POST', '/v1/challenge', {}, signal), 201);
      return readChallenge(reply, settings.trustDomain);
    },
    async attest(method, challenge, evidence, signal) {
      const reply = accepted(await ask('POST', '/v1/attest', { method, challenge, evidence }, signal), 201);
      return readAttested(reply, settings.trustDomain);
    },
    call: async (path, body, status, signal) => accepted(await ask('POST', path, body, signal), status),
    async alarm(correlationId, wrappingToken, signal) {
      const body = { correlation_id: correlationId, wrapping_token: wrappingToken.reveal() };
      accepted(await ask('POST', '/v1/alarms', body, signal), 202);
    },
    async published(query, signal) {
      const reply = await ask('GET', `/v1/policies?${query}`, undefined, signal, PUBLISHED);
      return reply.status === 204 ? null : accepted(reply, 200);
    },
    async services(query, signal) {
      const reply = await ask('GET', `/v1/services?${query}`, undefined, signal, PUBLISHED);
      return reply.status === 204 ? null : accepted(reply, 200);
    },
    [Symbol.dispose]() {
      agent.destroy();
      socket.destroy();
    },
  };
}

async function openSocket(
  { url, ca, trustDomain }: BrokerSettings,
  identity: ClientIdentity | null,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const bound = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS)]);
  const socket = connect({
    host,
    port: Number(url.port || 443),
    // For whoever passes connections on by name; it proves nothing.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...brokerTls({ ca, trustDomain }),
    ...(identity === null ? {} : { cert: identity.certChainPem, key: identity.keyPem }),
  });
  // Between two requests nobody else listens, and an error without a listener would end the process.
  socket.on('error', () => {});
  try {
    await once(socket, 'secureConnect', { signal: bound });
    return socket;
  } catch (error) {
    socket.destroy();
    throw connectError(error as Error);
  }
}

/** The broker's TLS failed: what that says of clock, certificate or network. */
export function connectError(error: Error): AcquireError {
  if (error instanceof AcquireError) return error;
  if (error instanceof BrokerTlsError)
    return new AcquireError('BROKER_UNTRUSTED', error.message, { cause: error.cause });
  const code = String((error as NodeJS.ErrnoException).code ?? '');
  if (code === 'CERT_NOT_YET_VALID') {
    return new AcquireError(
      'CLOCK_BEHIND',
      `the broker's certificate is not valid yet at ${new Date().toISOString()}, this machine's time: is its clock behind?`,
    );
  }
  if (code === 'CERT_HAS_EXPIRED') {
    return new AcquireError(
      'BROKER_UNTRUSTED',
      `the broker's certificate has expired at ${new Date().toISOString()}, this machine's time: is its clock ahead?`,
      { reason: code },
    );
  }
  if (isUntrusted(error)) {
    return new AcquireError(
      'BROKER_UNTRUSTED',
      "the broker's certificate does not chain to SIGNET_BROKER_CA",
      {
        reason: code,
      },
    );
  }
  return new AcquireError('BROKER_UNREACHABLE', 'no connection to the broker', { cause: error });
}
