import type { NetConnectOpts, OnReadOpts, Socket } from 'node:net';
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
import { checkPeer } from '../../lib/svid/index.ts';
import { type Address, formatAddress } from '../address.ts';
import type { Svid } from '../credentials.ts';
import type { Connector } from '../relay/index.ts';
import { tlsContext } from '../tls-context.ts';
import type { Upstream } from '../values.ts';
import type { Addresses } from './addresses.ts';

export type ConnectorDeps = { readonly clock: Clock; readonly log: Log };

/**
 * mTLS connections to one upstream with one SVID of ours. A server that is not one of the upstream's SPIFFE IDs is left before a byte
 * of a request is sent to it.
 */
export function upstreamConnector(
  upstream: Upstream,
  addresses: Addresses,
  svid: Svid,
  deps: ConnectorDeps,
): Omit<Connector, 'problem'> {
  const secureContext = createSecureContext(tlsContext(svid));
  const expiry = new WeakMap<Socket, number>();
  return {
    balance: addresses,
    readyEvent: 'secureConnect',
    open(number, onread) {
      const address = addresses.at(number);
      const socket = dial(address, secureContext, onread, (certificate) => {
        const peer = judge(certificate, upstream, svid.id.trustDomain, deps, address);
        if (peer instanceof Error) return peer;
        expiry.set(socket, peer.getTime());
        return undefined;
      });
      return socket;
    },
    usable: (connection) => (expiry.get(connection.socket) ?? 0) > deps.clock.now().getTime(),
  };
}

function dial(
  { host, port }: Address,
  secureContext: SecureContext,
  onread: OnReadOpts | null,
  judgeServer: (certificate: PeerCertificate) => Error | undefined,
): Socket {
  const options: ConnectionOptions & Pick<NetConnectOpts, 'allowHalfOpen' | 'onread'> = {
    host,
    port,
    secureContext,
    ...(onread === null
      ? { ALPNProtocols: ['h2', 'http/1.1'] }
      : { ALPNProtocols: ['http/1.1'], onread, allowHalfOpen: true }),
    minVersion: 'TLSv1.3',
    rejectUnauthorized: true,
    // a host name in a certificate means nothing here; the ID alone counts
    checkServerIdentity: (_host, certificate) => judgeServer(certificate),
  };
  const socket = connect(options);
  socket.setNoDelay(true);
  return socket;
}

/** @returns when the server's certificate ends, or why it may not answer */
function judge(
  certificate: PeerCertificate,
  { name, ids }: Upstream,
  trustDomain: string,
  { clock, log }: ConnectorDeps,
  address: Address,
): Date | Error {
  const refuse = (code: string, id?: SpiffeId) => {
    log.warn('upstream_identity_refused', { upstream: name, address: formatAddress(address), code, id });
    return new SignetError(code, `the server at ${formatAddress(address)} may not answer for ${name}`);
  };
  try {
    const peer = checkPeer(certificate.raw, { trustDomain, now: clock.now() });
    return ids.some((id) => id.equals(peer.id)) ? peer.notAfter : refuse('SVID_WRONG_ID', peer.id);
  } catch (error) {
    return refuse(error instanceof SignetError ? error.code : 'SVID_MALFORMED');
  }
}
