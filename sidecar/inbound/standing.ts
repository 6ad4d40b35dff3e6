import { X509Certificate } from 'node:crypto';
import { pemToDer } from '../../lib/svid/index.ts';
import { Refused } from '../relay/index.ts';
import { chainsTo, type Peer } from './peer.ts';

/** Whether a caller may go on with the connection it has. */
export interface Standing {
  /** Asked at every request: it must be cheap. Null while it may. */
  refusal(now: number): Refused | null;
  /** Asked now and then, and when something changed: a stable word for why it may not, or null. */
  fault(now: number): string | null;
}

/** Of those who showed nothing that could end. */
export const ANYONES: Standing = { refusal: () => null, fault: () => null };

/** The authorities in force, parsed once for all connections that have to be judged anew. */
export class Authorities {
  version = 0;
  certificates: readonly X509Certificate[] = [];
  private pem = '';

  /** @returns whether they changed */
  replace(pem: string): boolean {
    if (pem === this.pem) return false;
    this.pem = pem;
    this.version++;
    this.certificates = pemToDer(pem).map((der) => new X509Certificate(der));
    return true;
  }
}

export type PeerStandingDeps = {
  readonly authorities: Authorities;
  /** Why a peer is refused although its certificate is good (deny-list), or null. Asked at every request: it must be cheap. */
  readonly denied: (peer: Peer) => string | null;
};

const EXPIRED = new Refused(
  {
    status: 401,
    code: 'SVID_EXPIRED',
    detail: 'the certificate that this connection was made with has expired',
  },
  true,
);

/** Of a peer: as long as its certificate, its authority and nobody's objection say. */
export class PeerStanding implements Standing {
  private readonly peer: Peer;
  private readonly deps: PeerStandingDeps;
  private readonly notAfter: number;
  /** The authorities to which the peer's chain is known to lead. */
  private verified: number;

  constructor(peer: Peer, deps: PeerStandingDeps) {
    this.peer = peer;
    this.deps = deps;
    this.notAfter = peer.notAfter.getTime();
    this.verified = deps.authorities.version;
  }

  refusal(now: number): Refused | null {
    if (this.notAfter <= now) return EXPIRED;
    const reason = this.deps.denied(this.peer);
    return reason === null ? null : deniedPeer(reason);
  }

  fault(now: number): string | null {
    const { authorities, denied } = this.deps;
    if (this.notAfter <= now) return 'SVID_EXPIRED';
    const reason = denied(this.peer);
    if (reason !== null) return reason;
    if (this.verified === authorities.version) return null;
    if (!chainsTo(this.peer, authorities.certificates)) return 'SVID_UNTRUSTED';
    this.verified = authorities.version;
    return null;
  }
}

function deniedPeer(reason: string): Refused {
  return new Refused({ status: 401, code: 'peer_denied', detail: `the caller is denied: ${reason}` }, true);
}
