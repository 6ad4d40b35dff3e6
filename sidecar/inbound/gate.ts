import { X509Certificate } from 'node:crypto';
import type { Clock } from '../../lib/adapter/clock.ts';
import type { Denial } from '../../lib/policy/index.ts';
import { pemToDer } from '../../lib/svid/index.ts';
import type { Decider, Verdict } from '../decide.ts';
import type { RequestHead } from '../http1/index.ts';
import type { Credentials } from '../identity/credentials.ts';
import { type Gate, Refused, type Route, type SpliceEnd, type SpliceMeter } from '../relay/index.ts';
import { chainsTo, type Peer } from './peer.ts';

export type GateDeps = {
  readonly credentials: Credentials;
  readonly decider: Decider;
  readonly clock: Clock;
  /** Why a peer is refused although its certificate is good (deny-list), or null. Asked at every request: it must be cheap. */
  readonly denied: (peer: Peer) => string | null;
  /** The way to the app, with header lines of ours. */
  route(append: Buffer): Route;
  readonly splices: SpliceMeter;
};

const NO_IDENTITY = new Refused({
  status: 503,
  code: 'no_svid',
  detail: 'this service has no valid identity at the moment',
});
const UNDECIDED = new Refused({
  status: 503,
  code: 'not_decided',
  detail: 'requests cannot be judged and recorded at the moment',
});
const EXPIRED = new Refused(
  {
    status: 401,
    code: 'SVID_EXPIRED',
    detail: 'the certificate that this connection was made with has expired',
  },
  true,
);

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

/** Before a connection whose peer showed a certificate that is no valid SVID: TLS let it in, nothing else does. */
export class StrangerGate implements Gate {
  private readonly refused: Refused;
  private readonly decider: Decider;
  private readonly code: string;
  constructor(code: string, decider: Decider) {
    this.code = code;
    this.decider = decider;
    this.refused = new Refused(
      { status: 401, code, detail: 'the certificate shown is not a valid X.509-SVID of this trust domain' },
      true,
    );
  }
  admit(): Refused {
    this.decider.refused(null, this.code);
    return this.refused;
  }
  malformed(code: string): void {
    this.decider.refused(null, code);
  }
  standing(): null {
    return null;
  }
  readonly passed = '';
  /** Never told: it admits nothing. */
  spliced(): () => void {
    return () => {};
  }
}

/** Before a connection whose peer is known: judges the peer's standing and each of its requests. */
export class PeerGate implements Gate {
  private readonly deps: GateDeps;
  private readonly peer: Peer;
  private readonly authorities: Authorities;
  private readonly route: Route;
  private readonly notAfter: number;
  /** The authorities to which the peer's chain is known to lead. */
  private verified: number;
  passed = '';

  constructor(peer: Peer, authorities: Authorities, deps: GateDeps) {
    this.deps = deps;
    this.peer = peer;
    this.authorities = authorities;
    this.verified = authorities.version;
    this.notAfter = peer.notAfter.getTime();
    this.route = deps.route(Buffer.from(`x-signet-caller: ${peer.id}\r\n`));
  }

  admit(head: RequestHead): Route | Refused {
    const { credentials, decider, denied } = this.deps;
    const now = this.deps.clock.now().getTime();
    const svid = credentials.current;
    if (svid === null || svid.notAfter.getTime() <= now) return this.noted(NO_IDENTITY);
    if (this.notAfter <= now) return this.noted(EXPIRED);
    const reason = denied(this.peer);
    if (reason !== null) return this.noted(deniedPeer(reason));
    const verdict = decider.decide(this.peer, head.method, head.target.path);
    if (verdict === null) return UNDECIDED;
    const { decision } = verdict;
    this.passed = verdict.id;
    return decision.effect === 'allow' ? this.route : forbidden(verdict, decision, this.peer, head);
  }

  malformed(code: string): void {
    this.deps.decider.refused(this.peer, code);
  }

  standing(): string | null {
    if (this.notAfter <= this.deps.clock.now().getTime()) return 'SVID_EXPIRED';
    const reason = this.deps.denied(this.peer);
    if (reason !== null) return reason;
    if (this.verified === this.authorities.version) return null;
    if (!chainsTo(this.peer, this.authorities.certificates)) return 'SVID_UNTRUSTED';
    this.verified = this.authorities.version;
    return null;
  }

  spliced(protocol: string, decision: string): (end: SpliceEnd) => void {
    const counted = this.deps.splices.begin(protocol);
    return (end) => {
      counted(end);
      this.deps.decider.ended(this.peer, decision, protocol, end);
    };
  }

  private noted(refused: Refused): Refused {
    this.deps.decider.refused(this.peer, refused.problem.code);
    return refused;
  }
}

function deniedPeer(reason: string): Refused {
  return new Refused({ status: 401, code: 'peer_denied', detail: `the caller is denied: ${reason}` }, true);
}

function forbidden({ id }: Verdict, { code, rule }: Denial, peer: Peer, head: RequestHead): Refused {
  const request = `${head.method} ${head.target.path} for ${peer.id}`;
  const detail = rule === null ? `no policy allows ${request}` : `policy ${rule} denies ${request}`;
  return new Refused({ status: 403, code, detail, rule, decision_id: id });
}
