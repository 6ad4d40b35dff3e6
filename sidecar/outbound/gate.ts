import type { Clock } from '../../lib/adapter/clock.ts';
import type { Counter } from '../../lib/adapter/metrics.ts';
import type { Prover } from '../fingerprint/index.ts';
import type { RequestHead } from '../http1/index.ts';
import type { Credentials } from '../identity/credentials.ts';
import { type Gate, Refused, type Route, type SpliceEnd, type SpliceMeter } from '../relay/index.ts';
import type { Destination } from './destination.ts';

/** Which upstream a request is for. */
export type Choose = (head: RequestHead) => Destination | Refused;

export type AppGateDeps = {
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly malformed: Counter;
  readonly splices: SpliceMeter;
  readonly prover: Prover | null;
};

const NO_IDENTITY = new Refused({
  status: 503,
  code: 'no_svid',
  detail: 'this workload has no valid identity at the moment',
});

/** Before the connections of our own app: each request goes to the upstream that is chosen for it, while we have an SVID. */
export class AppGate implements Gate {
  readonly peer = null;
  readonly passed = '';
  private readonly choose: Choose;
  private readonly deps: AppGateDeps;

  constructor(choose: Choose, deps: AppGateDeps) {
    this.choose = choose;
    this.deps = deps;
  }

  gathers(head: RequestHead): boolean {
    return this.deps.prover?.needsBody(head) ?? false;
  }

  admit(head: RequestHead): Route | Refused {
    const { credentials, clock } = this.deps;
    const svid = credentials.current;
    if (svid === null || svid.notAfter.getTime() <= clock.now().getTime()) return NO_IDENTITY;
    const found = this.choose(head);
    return found instanceof Refused ? found : (found.route ?? NO_IDENTITY);
  }

  malformed(code: string): void {
    this.deps.malformed.add(1, { code });
  }

  standing(): null {
    return null;
  }

  spliced(protocol: string): (end: SpliceEnd) => void {
    return this.deps.splices.begin(protocol);
  }
}
