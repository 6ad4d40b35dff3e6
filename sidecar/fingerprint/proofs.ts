import type { Socket } from 'node:net';
import type { Gauge } from '../../lib/adapter/metrics.ts';
import { isCovered, type Mode, type ProofFault, ProofJudge } from '../../lib/fingerprint/index.ts';
import { droppedValue, type RequestHead } from '../http1/index.ts';
import type { Peer } from '../inbound/peer.ts';
import type { Proofs, RequestProofs } from '../inbound/screens.ts';
import { Refused } from '../relay/index.ts';
import { DETAILS } from './details.ts';
import { channelOn, provenRequest } from './proven.ts';

export type ProofsDeps = {
  /** The least that callers have to show. With `off` they need show nothing, and what they show has to hold. */
  readonly required: Mode;
  /** Told how far clocks of callers are ahead of ours, in seconds. */
  readonly skew: Gauge;
};

/** Header lines that go from sidecar to sidecar. The scanner drops them in every spelling, so no app sees or sends one. */
const PROOF = Buffer.from('workload-proof-token');
const ASSERTION = Buffer.from('x-signet-channel');

export function createProofs(deps: ProofsDeps): Proofs {
  return { of: (socket, peer) => new ConnectionProofs(socket, peer, deps) };
}

/** The proofs on one connection. */
class ConnectionProofs implements RequestProofs {
  private readonly socket: Socket;
  private readonly peer: Peer;
  private readonly deps: ProofsDeps;
  private judge: ProofJudge | null = null;

  constructor(socket: Socket, peer: Peer, deps: ProofsDeps) {
    this.socket = socket;
    this.peer = peer;
    this.deps = deps;
  }

  needsBody(head: RequestHead): boolean {
    return isCovered(head) && (this.deps.required !== 'off' || droppedValue(head, PROOF) !== null);
  }

  check(head: RequestHead, now: Date): Refused | null {
    const { required, skew } = this.deps;
    const token = droppedValue(head, PROOF);
    if (token === null) return required === 'off' ? null : REFUSED.proof_missing;
    if (token === undefined) return REFUSED.proof_malformed;
    this.judge ??= this.begin();
    const { judge } = this;
    if (judge.awaits) this.hear(judge, head);
    const told = judge.skew;
    const fault = judge.judge(token, provenRequest(head), now);
    if (judge.skew !== told) skew.set(judge.skew);
    return fault === null ? null : REFUSED[fault];
  }

  private hear(judge: ProofJudge, head: RequestHead): void {
    const assertion = droppedValue(head, ASSERTION);
    if (typeof assertion === 'string') judge.hear(assertion);
  }

  private begin(): ProofJudge {
    const { certificate, id } = this.peer;
    const { required } = this.deps;
    const options = { required, key: certificate.publicKey, subject: id.toString() };
    return new ProofJudge(channelOn(this.socket), options);
  }
}

const REFUSED = Object.fromEntries(
  Object.entries(DETAILS).map(([code, detail]) => [code, new Refused({ status: 401, code, detail })]),
) as Record<ProofFault, Refused>;
