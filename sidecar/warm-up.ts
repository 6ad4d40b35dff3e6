import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { systemClock } from '../lib/adapter/clock.ts';
import { createLog } from '../lib/adapter/log.ts';
import { createMetrics } from '../lib/adapter/metrics.ts';
import { type CompiledPolicy, compilePolicies, parsePolicies } from '../lib/policy/index.ts';
import type { Address } from './address.ts';
import { openAudit } from './audit/index.ts';
import type { Fingerprint } from './config/fingerprint.ts';
import { createDecider } from './decide.ts';
import { createCredentials, type Svid } from './identity/credentials.ts';
import { createInbound } from './inbound/index.ts';
import { NO_SCREENS } from './inbound/screens.ts';
import { createOutbound } from './outbound/index.ts';

export type WarmUpOptions = {
  /** Requests in all. */
  readonly requests?: number;
  /** No request begins after this. */
  readonly deadlineMs?: number;
  /** How requests are proven. Left out: they are not. */
  readonly fingerprint?: Fingerprint;
};

const UNPROVEN: Fingerprint = { sends: 'off', requires: 'off', ttlSeconds: 10 };
const REQUESTS = 1_000;
const DEADLINE_MS = 800;
const CONNECTIONS = 8;
const LOOPBACK = { host: '127.0.0.1', port: 0 };
const NAME = 'warm-up';
const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok');
const REQUESTS_SENT = [
  `GET /warm/up?x=1 HTTP/1.1\r\nHost: ${NAME}\r\nUser-Agent: signet\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n`,
  `POST /warm/up HTTP/1.1\r\nHost: ${NAME}\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello`,
  `GET /not/allowed HTTP/1.1\r\nHost: ${NAME}\r\nAccept: */*\r\n\r\n`,
].map((text) => Buffer.from(text));

/**
 * Sends requests of our own through our own proxies, with our own SVID on both sides, so that the code is compiled before a caller has
 * to wait for it: the first requests of a cold process take ten times as long. Nothing is kept; the audit of it goes to /dev/null.
 *
 * @returns how many requests were answered
 */
export async function warmUp(svid: Svid, options: WarmUpOptions = {}): Promise<number> {
  const { requests = REQUESTS, deadlineMs = DEADLINE_MS, fingerprint = UNPROVEN } = options;
  const [clock, log, metrics] = [
    systemClock,
    createLog({ level: 'alarm', write: () => {} }),
    createMetrics(),
  ];
  const credentials = createCredentials();
  credentials.publish(svid);
  const app = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write(ANSWER));
  });
  app.listen({ ...LOOPBACK });
  await once(app, 'listening');
  try {
    await using audit = await openAudit({ target: '/dev/null', credentials, clock, log, metrics });
    using decider = createDecider({ policy: { current: policyFor(svid) }, audit, clock, metrics });
    const { trustDomain } = svid.id;
    const place = { host: LOOPBACK.host, port: (app.address() as AddressInfo).port };
    const shared = { listen: LOOPBACK, credentials, clock, log, metrics };
    const { proofsFor, proverFor } = await fingerprints();
    // what we send comes back to us: it has to pass, and what does not have to be proven is checked as well
    const { sends, requires } = fingerprint;
    const proving: Fingerprint = {
      ...fingerprint,
      sends: sends === 'off' ? requires : sends,
      requires: 'off',
    };
    const screens = { ...NO_SCREENS, proofs: proofsFor(proving, metrics) };
    await using inbound = await createInbound({ ...shared, app: place, trustDomain, decider, screens });
    const upstreams = [{ name: NAME, addresses: [addressOf(inbound.address)], ids: [svid.id] }];
    const prover = proverFor(proving, clock);
    await using outbound = await createOutbound({ ...shared, upstreams, prover });
    const answered = await drive(addressOf(outbound.address), requests, Date.now() + deadlineMs);
    await Promise.all([outbound.close({ deadlineMs: 0 }), inbound.close({ deadlineMs: 0 })]);
    return answered;
  } finally {
    app.close();
  }
}

/** Apart, because the compiler leaves such an import as it is where `await using` stands beside it. */
function fingerprints(): Promise<typeof import('./fingerprint/index.ts')> {
  return import('./fingerprint/index.ts');
}

function policyFor(svid: Svid): CompiledPolicy {
  const rule = {
    name: NAME,
    level: 'application',
    target: svid.id,
    effect: 'allow',
    mode: 'enforce',
    when: {
      all: [
        { caller: { is: svid.id } },
        { method: { in: ['GET', 'POST'] } },
        { path: { like: '/warm/{what}' } },
      ],
    },
  };
  return compilePolicies(parsePolicies([{ file: NAME, text: JSON.stringify(rule) }]), svid.id);
}

/** Asks one thing after the other on each of a few connections. @returns how many answers came */
async function drive(place: Address, requests: number, deadline: number): Promise<number> {
  let [left, answered] = [requests, 0];
  const run = async () => {
    const socket = connect({ ...place, noDelay: true });
    const next = () => {
      if (left <= 0 || Date.now() >= deadline) socket.destroy();
      else socket.write(REQUESTS_SENT[left-- % REQUESTS_SENT.length]!);
    };
    socket.on('connect', next);
    socket.on('data', () => {
      answered++;
      next();
    });
    socket.on('error', () => {});
    await once(socket, 'close');
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, run));
  return answered;
}

function addressOf(text: string): Address {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}
