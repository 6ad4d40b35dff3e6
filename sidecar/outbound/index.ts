import { createServer, type Socket } from 'node:net';
import type { Clock } from '../../lib/adapter/clock.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import type { Address } from '../address.ts';
import type { Upstream } from '../config/values.ts';
import type { RequestHead } from '../http1/index.ts';
import { acceptHttp2 } from '../http2/index.ts';
import type { Credentials, Svid } from '../identity/credentials.ts';
import {
  acceptRaw,
  type Gate,
  Listener,
  RELAY_LIMITS,
  Refused,
  type RelayLimits,
  type RequestTransformer,
  SpliceMeter,
} from '../relay/index.ts';
import { Destination } from './destination.ts';
import { type Lookup, lookup } from './names.ts';
import { destinationAt, originalDestinations, unknownDestination } from './transparent.ts';

export type OutboundDeps = {
  /** On loopback: whoever reaches it speaks with our identity. */
  readonly listen: Address;
  readonly upstreams: readonly Upstream[];
  /** On loopback: to this the kernel redirects the app's connections, wherever they were going. */
  readonly transparent?: Address;
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limits?: Partial<RelayLimits>;
  /** Each adds headers of ours to every request, in this order. */
  readonly transformers?: readonly RequestTransformer[];
  /** Left out, names are resolved as this machine does. */
  readonly lookup?: Lookup;
  /** How often. */
  readonly lookupMs?: number;
};

/**
 * The outbound proxy: the app speaks plain HTTP to it, it speaks mTLS to the upstream that `Host` names, or to the one that the local
 * port belongs to. To a client it may also be the forward proxy of `HTTP_PROXY`.
 */
export interface Outbound extends AsyncDisposable {
  /** `host:port` */
  readonly address: string;
  /** The local ports of single upstreams, by the upstream's name. */
  readonly ports: ReadonlyMap<string, string>;
  /** Where redirected connections are taken, null where they are not. */
  readonly transparent: string | null;
  readonly connections: number;
  /** Accepts no more and lets what is under way end; cuts the rest after `deadlineMs`. @returns how many were cut */
  close(options: { readonly deadlineMs: number }): Promise<number>;
}

/** The gate of a local port asks for no path. */
const RAW_PATH = '/';
const DISPOSE_MS = 5_000;
const LOOKUP_MS = 10_000;
/** For each upstream. */
const POOL_LIMITS = { poolConnections: 1_024, poolWaiting: 1_024 };
const NO_IDENTITY = new Refused({
  status: 503,
  code: 'no_svid',
  detail: 'this workload has no valid identity at the moment',
});

export async function createOutbound(deps: OutboundDeps): Promise<Outbound> {
  const { credentials, clock, log, metrics } = deps;
  const chosen = { ...RELAY_LIMITS, ...POOL_LIMITS, ...deps.limits };
  const limits = { ...chosen, head: { ...chosen.head, absoluteTarget: true } };
  const malformed = metrics.counter(
    'signet_outbound_requests_refused_total',
    "The app's requests refused for their form, by code",
  );
  const failures = metrics.counter(
    'signet_outbound_failures_total',
    'Exchanges with upstreams that failed, by code',
  );
  const open = metrics.gauge('signet_outbound_connections', 'Connections from the app');
  const splices = new SpliceMeter(metrics, 'outbound');
  const destinations = new Map<string, Destination>();
  /** Those that speak HTTP. */
  const served = new Map<string, Destination>();
  const names = deps.upstreams.filter(({ protocol }) => protocol !== 'tcp').map(({ name }) => name);

  const gateTo = (choose: (head: RequestHead) => Destination | Refused): Gate => ({
    admit(head) {
      const svid = credentials.current;
      if (svid === null || svid.notAfter.getTime() <= clock.now().getTime()) return NO_IDENTITY;
      const found = choose(head);
      return found instanceof Refused ? found : (found.route ?? NO_IDENTITY);
    },
    malformed: (code) => malformed.add(1, { code }),
    standing: () => null,
    passed: '',
    spliced: (protocol) => splices.begin(protocol),
  });
  const byHost = gateTo(({ host }) => served.get(nameOf(host)) ?? unknown(host, names));
  const plainServer = () => createServer({ allowHalfOpen: true, noDelay: true });
  const listener = new Listener({
    limits,
    server: plainServer(),
    event: 'connection',
    http2: acceptHttp2,
    gate: () => byHost,
  });
  const shared = {
    relay: listener,
    clock,
    log,
    failures,
    ejections: metrics.counter('signet_outbound_ejections_total', 'Addresses left out for a while, by code'),
    lookup: deps.lookup ?? lookup,
    lookupMs: deps.lookupMs ?? LOOKUP_MS,
  };
  for (const upstream of deps.upstreams) {
    const destination = new Destination(upstream, deps.transformers ?? [], shared);
    destinations.set(upstream.name, destination);
    if (upstream.protocol !== 'tcp') served.set(upstream.name, destination);
    destination.sweep();
  }
  const adopt = (svid: Svid | null) => {
    if (svid !== null) for (const destination of destinations.values()) destination.adopt(svid);
  };
  adopt(credentials.current);
  const unsubscribe = credentials.subscribe(adopt);
  listener.ticker.each(() => {
    for (const destination of destinations.values()) destination.sweep();
    open.set(listener.size);
  });

  const close = async ({ deadlineMs }: { readonly deadlineMs: number }) => {
    const cut = await listener.close(deadlineMs);
    unsubscribe();
    for (const destination of destinations.values()) destination.destroy();
    return cut;
  };
  const ports = new Map<string, string>();
  try {
    const address = await listener.listen(deps.listen);
    log.info('listening', { what: 'outbound', address });
    for (const { name, listen, protocol } of deps.upstreams) {
      if (listen === undefined) continue;
      const gate = gateTo(() => destinations.get(name)!);
      const accept = protocol === 'tcp' ? { accept: acceptRaw(RAW_PATH) } : {};
      const port = { event: 'connection', gate: () => gate, ...accept } as const;
      ports.set(name, await listener.listenAlso(plainServer(), port, listen));
      log.info('listening', { what: 'upstream', upstream: name, address: ports.get(name) });
    }
    let transparent: string | null = null;
    if (deps.transparent !== undefined) {
      const originalOf = await originalDestinations(log);
      const gate = (socket: Socket) => {
        const original = originalOf(socket);
        return gateTo(({ host }) => {
          const named = served.get(nameOf(host));
          const found = named ?? (original && destinationAt(original, served.values()));
          return found ?? unknownDestination(host, original);
        });
      };
      transparent = await listener.listenAlso(plainServer(), { event: 'connection', gate }, deps.transparent);
      log.info('listening', { what: 'transparent', address: transparent });
    }
    return {
      address,
      ports,
      transparent,
      get connections() {
        return listener.size;
      },
      close,
      [Symbol.asyncDispose]: async () => void (await close({ deadlineMs: DISPOSE_MS })),
    };
  } catch (error) {
    await close({ deadlineMs: 0 });
    throw error;
  }
}

/** The port of `Host` says where the app thinks the upstream listens; the name alone says which is meant. */
function nameOf(host: string): string {
  const colon = host.indexOf(':');
  return colon === -1 ? host : host.slice(0, colon);
}

/** It is our own app that asks: it may know what it could ask for. */
function unknown(host: string, names: readonly string[]): Refused {
  const detail = `no upstream is named ${host}; there are: ${names.join(', ')}`;
  return new Refused({ status: 404, code: 'unknown_upstream', detail, upstreams: names });
}
