import { createServer, type TLSSocket } from 'node:tls';
import type { Clock } from '../../lib/adapter/clock.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import type { Listen } from '../address.ts';
import type { Forward } from '../config/values.ts';
import type { Decider } from '../decide.ts';
import { acceptHttp2, Http2Route, Sessions } from '../http2/index.ts';
import type { Credentials, Svid } from '../identity/credentials.ts';
import {
  acceptRaw,
  type Connector,
  Listener,
  Pool,
  type Port,
  RELAY_LIMITS,
  type RelayLimits,
  Route,
  SpliceMeter,
} from '../relay/index.ts';
import { tlsContext } from '../tls-context.ts';
import { type App, appConnector } from './app.ts';
import { Authorities, type GateDeps, PeerGate, StrangerGate } from './gate.ts';
import { type Peer, readPeer } from './peer.ts';

export type { App } from './app.ts';
export type { Peer } from './peer.ts';

export type InboundDeps = {
  /** Null: nothing but raw connections. */
  readonly listen: Listen | null;
  readonly app: App | null;
  /** Ports whose connections are each judged once, as `CONNECT /tcp/<port of the app>`. */
  readonly tcp?: readonly Forward[];
  readonly trustDomain: string;
  readonly credentials: Credentials;
  readonly decider: Decider;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limits?: Partial<RelayLimits>;
  /** Why a peer is refused although its certificate is good, or null. Asked at every request: it must be cheap. */
  readonly denied?: (peer: Peer) => string | null;
};

/** The inbound proxy: takes mTLS from other workloads, judges every request, and gives those that pass to the app. */
export interface Inbound extends AsyncDisposable {
  /** `host:port`, or nothing where there are only raw connections. */
  readonly address: string;
  /** Those of the raw forwards, in their order. */
  readonly tcp: readonly string[];
  readonly connections: number;
  /** Judges the peers of live connections anew (the deny-list changed) and cuts those that may not stay. @returns how many */
  recheck(): number;
  /** Accepts no more and lets what is under way end; cuts the rest after `deadlineMs`. @returns how many were cut */
  close(options: { readonly deadlineMs: number }): Promise<number>;
}

/** Between sidecars. A client that names no protocol is served as well: other programs with an SVID know none. */
const RAW_ALPN = 'signet-tcp';
const DISPOSE_MS = 5_000;
const STANDING_EVERY_TICKS = 10;

/** Begins to listen. Without an identity yet, handshakes fail until there is one. */
export async function createInbound(deps: InboundDeps): Promise<Inbound> {
  const { credentials, decider, clock, log, metrics, trustDomain } = deps;
  const limits = { ...RELAY_LIMITS, ...deps.limits };
  const handshakes = metrics.counter(
    'signet_inbound_handshakes_refused_total',
    'TLS handshakes that failed, by error',
  );
  const open = metrics.gauge('signet_inbound_connections', 'Connections from other workloads');
  const authorities = new Authorities();
  const tlsServer = (ALPNProtocols: string[]) => {
    const server = createServer({
      ...tlsContext(credentials.current),
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols,
      handshakeTimeout: limits.handshakeMs,
      allowHalfOpen: true,
      noDelay: true,
    });
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      socket.destroy();
      handshakes.add(1, { error: error.code ?? 'unknown' });
      log.debug('inbound_handshake', { error });
    });
    return server;
  };
  const server = tlsServer(['h2', 'http/1.1']);
  const servers = [server];

  const port = (deps: () => GateDeps): Port => ({
    event: 'secureConnection',
    gate(socket) {
      const peer = readPeer(socket as TLSSocket, trustDomain, clock.now());
      if (typeof peer !== 'string') return new PeerGate(peer, authorities, deps());
      log.warn('inbound_peer_refused', { code: peer });
      return new StrangerGate(peer, decider);
    },
  });
  const listener = new Listener({ limits, server, http2: acceptHttp2, ...port(() => gateDeps) });
  const pools: Pool[] = [];
  const poolTo = (connector: Connector) => {
    const pool = new Pool(connector, listener);
    pools.push(pool);
    return pool;
  };
  const connector = deps.app === null ? null : appConnector(deps.app);
  const pool = connector === null ? null : poolTo(connector);
  const sessions = connector !== null && deps.app?.h2c ? new Sessions(connector, listener) : null;
  const route = (append: Buffer) =>
    sessions === null ? new Route(pool!, append) : new Http2Route(pool!, sessions, append);
  const gateDeps: GateDeps = {
    credentials,
    decider,
    clock,
    route,
    splices: new SpliceMeter(metrics, 'inbound'),
    denied: deps.denied ?? (() => null),
  };
  const recheck = () => {
    const cut = listener.recheck();
    if (cut > 0) log.warn('inbound_peers_cut', { connections: cut });
    return cut;
  };
  const adopt = (svid: Svid | null) => {
    if (svid === null) return;
    for (const each of servers) each.setSecureContext(tlsContext(svid));
    if (authorities.replace(svid.bundlePem)) recheck();
  };
  adopt(credentials.current);
  const unsubscribe = credentials.subscribe(adopt);
  listener.ticker.each(() => {
    for (const each of pools) each.sweep();
    sessions?.sweep();
    open.set(listener.size);
    if (listener.ticker.now % STANDING_EVERY_TICKS === 0) recheck();
  });

  const close = async ({ deadlineMs }: { readonly deadlineMs: number }) => {
    const cut = await listener.close(deadlineMs);
    unsubscribe();
    for (const each of pools) each.destroy();
    sessions?.destroy();
    return cut;
  };
  const listenRaw = async ({ listen, app }: Forward) => {
    const raw = poolTo(appConnector(app));
    const accept = acceptRaw(`/tcp/${app.port}`);
    const rawServer = tlsServer([RAW_ALPN]);
    servers.push(rawServer);
    const rawDeps = { ...gateDeps, route: (append: Buffer) => new Route(raw, append) };
    const address = await listener.listenAlso(rawServer, { ...port(() => rawDeps), accept }, listen);
    log.info('listening', { what: 'inbound', protocol: 'tcp', address });
    return address;
  };
  const tcp: string[] = [];
  let address = '';
  try {
    if (deps.listen !== null) {
      address = await listener.listen(deps.listen);
      log.info('listening', { what: 'inbound', address });
    }
    for (const forward of deps.tcp ?? []) tcp.push(await listenRaw(forward));
  } catch (error) {
    await close({ deadlineMs: 0 });
    throw error;
  }
  return {
    address,
    tcp,
    get connections() {
      return listener.size;
    },
    recheck,
    close,
    [Symbol.asyncDispose]: async () => void (await close({ deadlineMs: DISPOSE_MS })),
  };
}
