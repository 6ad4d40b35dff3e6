import { createServer } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../lib/adapter/clock.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import type { Listen } from '../address.ts';
import type { AnonymousForward, Forward } from '../config/values.ts';
import { ANONYMOUS_CALLER, type Decider } from '../decide.ts';
import { HTTP2 } from '../http2/index.ts';
import type { Credentials, Svid } from '../identity/credentials.ts';
import type { Observing } from '../observe.ts';
import {
  acceptRaw,
  CrowdMeter,
  Listener,
  type Port,
  RELAY_LIMITS,
  type RelayLimits,
  SpliceMeter,
} from '../relay/index.ts';
import type { App } from './app.ts';
import { Apps } from './apps.ts';
import { CallerGate, type GateDeps, type RouteWith, StrangerGate } from './gate.ts';
import { Passages } from './passages.ts';
import { type Peer, readPeer } from './peer.ts';
import { NO_SCREENS, type Screens } from './screens.ts';
import { ANYONES, Authorities, PeerStanding, type PeerStandingDeps } from './standing.ts';
import { TlsServers } from './tls-servers.ts';

export type { App } from './app.ts';
export type { Peer } from './peer.ts';

export type InboundDeps = {
  /** Null: nothing but raw connections. */
  readonly listen: Listen | null;
  readonly app: App | null;
  /** Ports whose connections are each judged once, as `CONNECT /tcp/<port of the app>`. */
  readonly tcp?: readonly Forward[];
  /** Where clients come in that have no SVID: as `anonymous`, whatever they show. */
  readonly anonymous?: AnonymousForward | null;
  readonly trustDomain: string;
  readonly credentials: Credentials;
  readonly decider: Decider;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limits?: Partial<RelayLimits>;
  /** What is found out of a request beside its caller. Left out: nothing. */
  readonly screens?: Screens;
  /** Left out: nobody observes. */
  readonly observing?: Observing | null;
  /** Why a peer is refused although its certificate is good, or null. Asked at every request: it must be cheap. */
  readonly denied?: (peer: Peer) => string | null;
};

/** The inbound proxy: takes mTLS from other workloads, judges every request, and gives those that pass to the app. */
export interface Inbound extends AsyncDisposable {
  /** `host:port`, or nothing where there are only raw connections. */
  readonly address: string;
  /** Those of the raw forwards, in their order. */
  readonly tcp: readonly string[];
  /** Of clients that have no SVID; null where they are not served. */
  readonly anonymous: string | null;
  readonly connections: number;
  /**
   * Judges the peers of live connections anew (the deny-list changed), and what was asked for those that are spliced (the policies did),
   * and cuts those that may not stay. It happens every second by itself. @returns how many
   */
  recheck(): number;
  /** Accepts no more and lets what is under way end; cuts the rest after `deadlineMs`. @returns how many were cut */
  close(options: { readonly deadlineMs: number }): Promise<number>;
}

const HTTP_ALPN = ['h2', 'http/1.1'];
/** Between sidecars. A client that names no protocol is served as well: other programs with an SVID know none. */
const RAW_ALPN = ['signet-tcp'];
const DISPOSE_MS = 5_000;
const STANDING_EVERY_TICKS = 10;

/** Begins to listen. Without an identity yet, handshakes fail until there is one. */
export async function createInbound(deps: InboundDeps): Promise<Inbound> {
  const { credentials, decider, clock, log, metrics } = deps;
  const limits = { ...RELAY_LIMITS, ...deps.limits };
  const handshakes = 'signet_inbound_handshakes_refused_total';
  const refused = metrics.counter(handshakes, 'TLS handshakes that failed, by error');
  const open = metrics.gauge('signet_inbound_connections', 'Connections from other workloads');
  const tls = new TlsServers({ credentials, handshakeMs: limits.handshakeMs, log, refused });
  const crowd = new CrowdMeter(metrics, log, 'inbound');
  const listener = new Listener({
    limits,
    http2: HTTP2,
    crowded: (reason, peer) => crowd.count(reason, peer),
  });
  const apps = new Apps(listener);
  const authorities = new Authorities();
  const passages = new Passages(decider);
  const gates: GateDeps = {
    credentials,
    passages,
    decider,
    clock,
    splices: new SpliceMeter(metrics, 'inbound'),
    screens: deps.screens ?? NO_SCREENS,
    observing: deps.observing ?? null,
  };
  const standing: PeerStandingDeps = { authorities, denied: deps.denied ?? (() => null) };

  const recheck = () => {
    const cut = listener.recheck();
    if (cut > 0) log.warn('inbound_peers_cut', { connections: cut });
    const denied = passages.recheck(clock.now());
    if (denied > 0) log.warn('inbound_passages_cut', { connections: denied });
    return cut + denied;
  };
  const adopt = (svid: Svid | null) => {
    if (svid === null) return;
    tls.adopt(svid);
    if (authorities.replace(svid.bundlePem)) recheck();
  };
  adopt(credentials.current);
  const unsubscribe = credentials.subscribe(adopt);
  listener.ticker.each(() => {
    apps.sweep();
    open.set(listener.size);
    if (listener.ticker.now % STANDING_EVERY_TICKS === 0) recheck();
  });
  const close = async ({ deadlineMs }: { readonly deadlineMs: number }) => {
    const cut = await listener.close(deadlineMs);
    unsubscribe();
    apps.destroy();
    return cut;
  };

  const peers = (route: RouteWith): Port => peerPort(route, deps, standing, gates);
  const tcp: string[] = [];
  let address = '';
  let anonymous: string | null = null;
  try {
    if (deps.listen !== null && deps.app !== null) {
      address = await listener.listen(
        tls.make('mutual', HTTP_ALPN),
        peers(apps.routeTo(deps.app)),
        deps.listen,
      );
      log.info('listening', { what: 'inbound', address });
    }
    for (const { listen, app } of deps.tcp ?? []) {
      const port = { ...peers(apps.routeTo(app)), accept: acceptRaw(`/tcp/${app.port}`) };
      tcp.push(await listener.listen(tls.make('mutual', RAW_ALPN), port, listen));
      log.info('listening', { what: 'inbound', protocol: 'tcp', address: tcp.at(-1) });
    }
    if (deps.anonymous) {
      const { protocol, listen, app } = deps.anonymous;
      const plain = protocol === 'http';
      const server = plain
        ? createServer({ allowHalfOpen: true, noDelay: true })
        : tls.make('one-way', HTTP_ALPN);
      const port = anonymousPort(plain ? 'connection' : 'secureConnection', apps.routeTo(app), gates);
      anonymous = await listener.listen(server, port, listen);
      log.info('listening', { what: 'inbound', protocol, callers: 'anonymous', address: anonymous });
    }
  } catch (error) {
    await close({ deadlineMs: 0 });
    throw error;
  }
  return {
    address,
    tcp,
    anonymous,
    get connections() {
      return listener.size;
    },
    recheck,
    close,
    [Symbol.asyncDispose]: async () => void (await close({ deadlineMs: DISPOSE_MS })),
  };
}

/** Callers are who their certificates say. */
function peerPort(
  route: RouteWith,
  { trustDomain, clock, decider, log }: InboundDeps,
  standing: PeerStandingDeps,
  gates: GateDeps,
): Port {
  return {
    event: 'secureConnection',
    gate(socket) {
      const peer = readPeer(socket as TLSSocket, trustDomain, clock.now());
      if (typeof peer !== 'string')
        return new CallerGate(
          peer,
          new PeerStanding(peer, standing),
          route,
          socket,
          gates,
          gates.screens.proofs?.of(socket, peer),
        );
      log.warn('inbound_peer_refused', { code: peer });
      return new StrangerGate(peer, decider);
    },
  };
}

/** Callers are `anonymous`: nothing that they show is looked at. */
function anonymousPort(event: Port['event'], route: RouteWith, gates: GateDeps): Port {
  return { event, gate: (socket) => new CallerGate(ANONYMOUS_CALLER, ANYONES, route, socket, gates) };
}
