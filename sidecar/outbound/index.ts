import { createServer, type Socket } from 'node:net';
import type { Clock } from '../../lib/adapter/clock.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import type { PeerSvid } from '../../lib/svid/index.ts';
import type { Listen } from '../address.ts';
import type { Upstream } from '../config/values.ts';
import type { Prover } from '../fingerprint/index.ts';
import { HTTP2 } from '../http2/index.ts';
import type { Credentials } from '../identity/credentials.ts';
import type { Observing } from '../observe.ts';
import {
  acceptRaw,
  CrowdMeter,
  Listener,
  type PoolDeps,
  type Port,
  RELAY_LIMITS,
  type RelayLimits,
  type RequestTransformer,
  SpliceMeter,
} from '../relay/index.ts';
import { Destinations } from './destinations.ts';
import type { ServiceSource } from './discovered.ts';
import { AppGate, type OutboundScreen } from './gate.ts';
import { type Lookup, lookup } from './names.ts';
import { originalDestinations } from './transparent.ts';

export type { OutboundScreen } from './gate.ts';

export type OutboundDeps = {
  /** On loopback: whoever reaches it speaks with our identity. */
  readonly listen: Listen;
  readonly upstreams: readonly Upstream[];
  /** On loopback: to this the kernel redirects the app's connections, wherever they were going. */
  readonly transparent?: Listen;
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limits?: Partial<RelayLimits>;
  /** Each adds headers of ours to every request, in this order. */
  readonly transformers?: readonly RequestTransformer[];
  /** Left out: nobody observes. */
  readonly observing?: Observing | null;
  /** Asked of every request; its transformer comes last. Left out: nothing is asked. */
  readonly screen?: OutboundScreen | null;
  /** Proves every request, after all that is added to it. Null, or left out: none is proven. */
  readonly prover?: Prover | null;
  /** Why a server is refused although its certificate is good, or null. Asked whenever a connection is taken: it must be cheap. */
  readonly denied?: (peer: PeerSvid) => string | null;
  /** The Services of a cluster, which may be called beside the upstreams. Null, or left out: none. */
  readonly services?: ServiceSource | null;
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
export const POOL_LIMITS = { poolConnections: 1_024, poolWaiting: 1_024 };

export async function createOutbound(deps: OutboundDeps): Promise<Outbound> {
  const { credentials, log, metrics } = deps;
  const open = metrics.gauge('signet_outbound_connections', 'Connections from the app');
  const crowd = new CrowdMeter(metrics, log, 'outbound');
  const listener = new Listener({
    limits: limitsOf(deps),
    http2: HTTP2,
    crowded: (reason, peer) => crowd.count(reason, peer),
  });
  const destinations = await destinationsOf(deps, listener);
  destinations.adopt(credentials.current);
  const unsubscribe = credentials.subscribe((svid) => destinations.adopt(svid));
  listener.ticker.each(() => {
    destinations.sweep();
    open.set(listener.size);
  });
  const close = async ({ deadlineMs }: { readonly deadlineMs: number }) => {
    const cut = await listener.close(deadlineMs);
    unsubscribe();
    destinations.destroy();
    return cut;
  };
  try {
    const listening = await listenForApp(deps, listener, destinations);
    return {
      ...listening,
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

function limitsOf({ limits }: OutboundDeps): RelayLimits {
  // the app is the one peer
  const chosen = { ...RELAY_LIMITS, ...POOL_LIMITS, ...limits, connectionsPerPeer: 0 };
  return { ...chosen, head: { ...chosen.head, absoluteTarget: true } };
}

function transformersOf({ transformers = [], screen = null }: OutboundDeps): readonly RequestTransformer[] {
  return screen === null ? transformers : [...transformers, screen.transform];
}

async function destinationsOf(deps: OutboundDeps, relay: PoolDeps): Promise<Destinations> {
  const { clock, log, metrics } = deps;
  const common = {
    relay,
    clock,
    log,
    prover: deps.prover ?? null,
    failures: metrics.counter(
      'signet_outbound_failures_total',
      'Exchanges with upstreams that failed, by code',
    ),
    ejections: metrics.counter('signet_outbound_ejections_total', 'Addresses left out for a while, by code'),
    denied: deps.denied ?? (() => null),
    lookup: deps.lookup ?? lookup,
    lookupMs: deps.lookupMs ?? LOOKUP_MS,
  };
  const transformers = transformersOf(deps);
  if (!deps.services) return new Destinations(deps.upstreams, transformers, common, null);
  const { Discovered } = await import('./discovered.ts');
  const discovered = new Discovered(deps.services, transformers, common);
  return new Destinations(deps.upstreams, transformers, common, discovered);
}

/** Opens the ports by which the app can say, each in its own way, which upstream it means. */
async function listenForApp(
  deps: OutboundDeps,
  listener: Listener,
  destinations: Destinations,
): Promise<Pick<Outbound, 'address' | 'ports' | 'transparent'>> {
  const { credentials, clock, log, metrics } = deps;
  const malformed = metrics.counter(
    'signet_outbound_requests_refused_total',
    "The app's requests refused for their form, by code",
  );
  const gates = {
    ...{ credentials, clock, malformed, splices: new SpliceMeter(metrics, 'outbound') },
    ...{ observing: deps.observing ?? null, screen: deps.screen ?? null, prover: deps.prover ?? null },
  };
  const listen = (port: Omit<Port, 'event'>, address: Listen) =>
    listener.listen(
      createServer({ allowHalfOpen: true, noDelay: true }),
      { event: 'connection', ...port },
      address,
    );

  const byHost = new AppGate((head) => destinations.byHost(head), gates);
  const address = await listen({ gate: () => byHost }, deps.listen);
  log.info('listening', { what: 'outbound', address });

  const ports = new Map<string, string>();
  for (const { name, listen: local, protocol } of deps.upstreams) {
    if (local === undefined) continue;
    const gate = new AppGate(() => destinations.named(name), gates);
    const accept = protocol === 'tcp' ? { accept: acceptRaw(RAW_PATH) } : {};
    ports.set(name, await listen({ gate: () => gate, ...accept }, local));
    log.info('listening', { what: 'upstream', upstream: name, address: ports.get(name) });
  }

  if (deps.transparent === undefined) return { address, ports, transparent: null };
  const originalOf = await originalDestinations(log);
  const gate = (socket: Socket) => {
    const original = originalOf(socket);
    return new AppGate((head) => destinations.byHostOrAddress(head, original), gates);
  };
  const transparent = await listen({ gate }, deps.transparent);
  log.info('listening', { what: 'transparent', address: transparent });
  return { address, ports, transparent };
}
