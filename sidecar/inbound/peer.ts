import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { checkPeer, type PeerSvid, SvidError } from '../../lib/svid/index.ts';

/** The other end of a connection, as its certificate says, read once. */
export type Peer = PeerSvid & { readonly certificate: X509Certificate };

/**
 * Reads the certificate that TLS has already verified against the bundle, by the X509-SVID rules that TLS does not know.
 * @returns the peer, or the code of the first rule broken
 */
export function readPeer(socket: TLSSocket, trustDomain: string, now: Date): Peer | string {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return 'SVID_MALFORMED';
  try {
    return { ...checkPeer(certificate.raw, { trustDomain, now }), certificate };
  } catch (error) {
    if (error instanceof SvidError) return error.code;
    throw error;
  }
}

/** Whether the peer's chain still leads to one of these authorities; asked when they change under a live connection. */
export function chainsTo(peer: Peer, authorities: readonly X509Certificate[]): boolean {
  const seen = new Set<string>();
  let certificate: X509Certificate | undefined = peer.certificate;
  while (certificate !== undefined && !seen.has(certificate.fingerprint256)) {
    const child: X509Certificate = certificate;
    seen.add(child.fingerprint256);
    if (authorities.some((ca) => child.checkIssued(ca) && child.verify(ca.publicKey))) return true;
    certificate = child.issuerCertificate;
  }
  return false;
}
