import { createMetrics, type Metrics } from '../../../lib/adapter/metrics.ts';
import type { Facts, User } from '../../../lib/policy/index.ts';
import { createAssertions } from '../../../sidecar/assertion/index.ts';
import type { AppSettings } from '../../../sidecar/config/app.ts';
import type { Caller, Decider } from '../../../sidecar/decide.ts';
import type { CredentialHolder } from '../../../sidecar/identity/credentials.ts';
import { createInbound, type Inbound, type InboundDeps } from '../../../sidecar/inbound/index.ts';
import { NO_SCREENS } from '../../../sidecar/inbound/screens.ts';
import { createOutbound, type Outbound } from '../../../sidecar/outbound/index.ts';
import { answering } from '../inbound/world.ts';
import { upstream } from '../outbound/world.ts';
import { dialPlain, portOf, RawServer } from '../sockets.ts';
import { type Authority, clock, credentialsFor, quiet } from '../support.ts';

/** What a request was judged by. */
export type Judged = { readonly caller: string; readonly path: string; readonly chain: readonly string[] };

/** A workload with both sides of its sidecar, and an app that answers everything and keeps what it got. */
export type Service = AsyncDisposable & {
  readonly id: string;
  readonly credentials: CredentialHolder;
  readonly app: RawServer;
  readonly inbound: Inbound;
  readonly outbound: Outbound;
  readonly judged: Judged[];
  readonly refusals: string[];
  readonly metrics: Metrics;
  readonly jwks: () => object;
  /** The value of the last line with this name that the app was sent; null: it was sent none. */
  told(name: string): string | null;
  /** Has the app call an upstream, with header lines of its own. @returns all that it heard */
  call(name: string, ...lines: readonly string[]): Promise<string>;
};

export type ServiceOptions = {
  readonly settings?: Partial<AppSettings>;
  readonly upstreams?: readonly Service[];
  readonly user?: User;
  readonly anonymous?: boolean;
  readonly credentials?: CredentialHolder;
  readonly app?: InboundDeps['app'];
};

export const ID = (name: string) => `spiffe://example.org/ns/shop/sa/${name}`;
const ON: AppSettings = { claims: [], assertion: true, transaction: true };
const LISTEN = { host: '127.0.0.1', port: 0 };

export async function service(ca: Authority, name: string, options: ServiceOptions = {}): Promise<Service> {
  const { upstreams = [], user = null, anonymous = false } = options;
  const id = ID(name);
  const app = await RawServer.start(answering());
  const credentials = options.credentials ?? (await credentialsFor(ca, id));
  const metrics = createMetrics();
  const settings = { ...ON, ...options.settings };
  const assertions = createAssertions({ settings, credentials, clock, metrics });
  const judged: Judged[] = [];
  const refusals: string[] = [];
  const place = options.app ?? { host: '127.0.0.1', port: app.port };
  const inbound = await createInbound({
    ...{ listen: LISTEN, app: place, trustDomain: 'example.org', credentials, clock, log: quiet, metrics },
    anonymous: anonymous ? { protocol: 'http', listen: LISTEN, app: place } : null,
    decider: permissive(judged, refusals),
    screens: {
      ...NO_SCREENS,
      users: { identify: () => user },
      origins: assertions.origins,
      view: assertions.view,
    },
  });
  const outbound = await createOutbound({
    ...{ listen: LISTEN, credentials, clock, log: quiet, metrics: createMetrics() },
    upstreams: upstreams.map((each) =>
      upstream(each.id.slice(each.id.lastIndexOf('/') + 1), [portOf(each.inbound.address)], [each.id]),
    ),
    screen: assertions.outbound,
  });
  return {
    ...{ id, credentials, app, inbound, outbound, judged, refusals, metrics, jwks: () => assertions.jwks },
    told: (header) => told(app, header),
    async call(to, ...lines) {
      using client = await dialPlain(outbound.address);
      client.send(
        `GET /of/${name} HTTP/1.1\r\nHost: ${to}\r\nConnection: close\r\n${lines.map((l) => `${l}\r\n`).join('')}\r\n`,
      );
      return await client.ends();
    },
    async [Symbol.asyncDispose]() {
      await outbound.close({ deadlineMs: 0 });
      await inbound.close({ deadlineMs: 0 });
      assertions[Symbol.dispose]();
      await app[Symbol.asyncDispose]();
    },
  };
}

function told(app: RawServer, name: string): string | null {
  const found = [...app.received.matchAll(new RegExp(`^${name}: (.*)\\r$`, 'gim'))];
  return found.at(-1)?.[1] ?? null;
}

/** Allows everything, and keeps what it was asked. */
function permissive(judged: Judged[], refusals: string[]): Decider {
  let n = 0;
  return {
    policy: null,
    decide(caller: Caller, _method: string, path: string, _now: Date, facts?: Facts) {
      judged.push({ caller: caller.id.toString(), path, chain: facts!.chain.map(String) });
      const decision = { effect: 'allow', rule: 'all', level: 'application', dryRun: [], wouldBe: 'allow' };
      return { id: `d-${n++}`, decision: decision as never };
    },
    refused: (_caller, code) => void refusals.push(code),
    ended: () => {},
  };
}

export function user(more: Partial<User> = {}): User {
  return {
    ...{ issuer: 'https://idp.example', subject: 'alice', acr: null, authTime: null, issuedAt: null },
    ...{ scopes: new Set<string>(), roles: new Set<string>(), consents: new Set<string>(), claims: {} },
    ...more,
  };
}

/** Of a statement, unverified. */
export function payloadOf(token: string | null): Record<string, unknown> {
  return JSON.parse(Buffer.from(token!.split('.')[1]!, 'base64url').toString());
}
