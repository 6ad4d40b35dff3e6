import { connect as connectPlain, type NetConnectOpts, type OnReadOpts, type Socket } from 'node:net';
import {
  type ConnectionOptions,
  connect,
  createSecureContext,
  type PeerCertificate,
  type SecureContext,
} from 'node:tls';
import type { Clock } from '../../lib/adapter/clock.ts';
import type { Log } from '../../lib/adapter/log.ts';
import { SignetError } from '../../lib/errors.ts';
import type { SpiffeId } from '../../lib/spiffe/index.ts';
import { checkPeer, type PeerSvid } from '../../lib/svid/index.ts';
import { type Address, formatAddress } from '../address.ts';
import type { Upstream } from '../config/values.ts';
import type { Svid } from '../identity/credentials.ts';
import type { Connector } from '../relay/index.ts';
import { tlsContext } from '../tls-context.ts';
import type { Addresses } from './addresses.ts';

/** Raw connections between sidecars, so that bytes meant for one protocol are not taken for another's. */
const RAW_ALPN = 'signet-tcp';

export type ConnectorDeps = {
  readonly clock: Clock;
  readonly log: Log;
  /** Why a server is refused although its certificate is good, or null. */
  readonly denied: (peer: PeerSvid) => string | null;
};

/**
 * mTLS connections to one upstream with one SVID of ours. A server that is not one of the upstream's SPIFFE IDs is left before a byte
 * of a request is sent to it.
 */
export function upstreamConnector(
  upstream: Upstream,
  addresses: Addresses,
  svid: Svid,
  deps: ConnectorDeps,
): Omit<Connector, 'problem'> & {
  /** Cuts connections to servers that are denied by now, or whose address became another's. */ recheck(): void;
} {
  const { protocol } = upstream;
  const secureContext = contextOf(svid);
  const peers = new Map<Socket, PeerSvid & { readonly at: string }>();
  const transports = new WeakMap<Socket, Socket>();
  return {
    balance: addresses,
    readyEvent: 'secureConnect',
    open(number, onread) {
      const address = addresses.at(number);
      const judged = (certificate: PeerCertificate) => {
        const mayAnswer = (id: SpiffeId) => addresses.mayAnswer(number, address, id);
        const peer = judge(certificate, upstream.name, svid.id.trustDomain, deps, address, mayAnswer);
        if (peer instanceof Error) return peer;
        peers.set(socket, { ...peer, at: formatAddress(address) });
        socket.once('close', () => peers.delete(socket));
        return undefined;
      };
      const transport = protocol === 'tcp' ? transportTo(address) : null;
      const way = transport === null ? httpTo(address, onread) : rawOver(transport);
      const socket: Socket = dial(way, secureContext, judged);
      if (transport !== null) {
        transports.set(socket, transport);
        transport.on('error', (error) => socket.destroy(error));
        socket.on('data', (piece: Buffer) => onread?.callback(piece.length, piece));
      }
      return socket;
    },
    transport: (socket) => transports.get(socket),
    usable({ socket }) {
      const peer = peers.get(socket);
      return peer !== undefined && peer.notAfter > deps.clock.now() && deps.denied(peer) === null;
    },
    recheck() {
      for (const [socket, peer] of peers) {
        const code = addresses.isOfAnother(peer.at, peer.id)
          ? 'SVID_WRONG_ID'
          : deps.denied(peer) !== null
            ? 'SVID_DENIED'
            : null;
        if (code === null) continue;
        deps.log.warn('upstream_cut', { upstream: upstream.name, id: peer.id, code });
        const error = new SignetError(code, `${peer.id} may not answer any more`);
        (transports.get(socket) ?? socket).destroy(error);
      }
    },
  };
}

/** One for all upstreams: making it takes milliseconds. */
const contexts = new WeakMap<Svid, SecureContext>();

function contextOf(svid: Svid): SecureContext {
  const made = contexts.get(svid) ?? createSecureContext(tlsContext(svid));
  contexts.set(svid, made);
  return made;
}

type Way = ConnectionOptions & Pick<NetConnectOpts, 'allowHalfOpen' | 'onread'>;

function httpTo({ host, port }: Address, onread: OnReadOpts | null): Way {
  const protocols =
    onread === null
      ? { ALPNProtocols: ['h2', 'http/1.1'] }
      : { ALPNProtocols: ['http/1.1'], onread, allowHalfOpen: true };
  return { host, port, ...protocols };
}

/** It is read by `data`: `onread` is not for what TLS is laid over. */
function rawOver(socket: Socket): Way {
  return { ALPNProtocols: [RAW_ALPN], socket };
}

/** Below TLS, where a raw connection can be reset. */
function transportTo({ host, port }: Address): Socket {
  return connectPlain({ host, port, allowHalfOpen: true, noDelay: true });
}

function dial(
  way: Way,
  secureContext: SecureContext,
  judgeServer: (certificate: PeerCertificate) => Error | undefined,
): Socket {
  const options: Way = {
    ...way,
    secureContext,
    minVersion: 'TLSv1.3',
    rejectUnauthorized: true,
    // a host name in a certificate means nothing here; the ID alone counts
    checkServerIdentity: (_host, certificate) => judgeServer(certificate),
  };
  const socket = connect(options);
  socket.setNoDelay(true);
  return socket;
}

/** @returns who the server is, or why it may not answer */
function judge(
  certificate: PeerCertificate,
  name: string,
  trustDomain: string,
  { clock, log, denied }: ConnectorDeps,
  address: Address,
  mayAnswer: (id: SpiffeId) => boolean,
): PeerSvid | Error {
  const refuse = (code: string, id?: SpiffeId) => {
    log.warn('upstream_identity_refused', { upstream: name, address: formatAddress(address), code, id });
    return new SignetError(code, `the server at ${formatAddress(address)} may not answer for ${name}`);
  };
  try {
    const peer = checkPeer(certificate.raw, { trustDomain, now: clock.now() });
    if (!mayAnswer(peer.id)) return refuse('SVID_WRONG_ID', peer.id);
    return denied(peer) === null ? peer : refuse('SVID_DENIED', peer.id);
  } catch (error) {
    return refuse(error instanceof SignetError ? error.code : 'SVID_MALFORMED');
  }
}
