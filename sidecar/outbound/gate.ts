import type { Clock } from '../../lib/adapter/clock.ts';
import type { Counter } from '../../lib/adapter/metrics.ts';
import type { Prover } from '../fingerprint/index.ts';
import type { RequestHead } from '../http1/index.ts';
import type { Credentials } from '../identity/credentials.ts';
import type { Asked, Observing } from '../observe.ts';
import {
  type Gate,
  Refused,
  type RequestTransformer,
  type Route,
  type SpliceEnd,
  type SpliceMeter,
  type Watch,
} from '../relay/index.ts';
import type { Destination } from './destination.ts';

/** What is asked about each request of the app beside where it goes. */
export interface OutboundScreen {
  /** Null: it may go. The head is good until the call returns. */
  screen(head: RequestHead): Refused | null;
  /** Adds what the upstream is told. */
  readonly transform: RequestTransformer;
}

/** Which upstream a request is for. */
export type Choose = (head: RequestHead) => Destination | Refused;

export type AppGateDeps = {
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly malformed: Counter;
  readonly splices: SpliceMeter;
  /** Null: nobody observes. */
  readonly observing: Observing | null;
  readonly screen: OutboundScreen | null;
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
  watch: Watch | null = null;
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
    const { credentials, clock, observing, screen } = this.deps;
    const svid = credentials.current;
    const valid = svid !== null && svid.notAfter.getTime() > clock.now().getTime();
    const refused = !valid ? NO_IDENTITY : screen === null ? null : screen.screen(head);
    const found = refused ?? this.choose(head);
    const verdict = found instanceof Refused ? found : (found.route ?? NO_IDENTITY);
    if (observing === null) return verdict;
    const trace = observing.trace(head, true);
    this.watch = observing.watch(asked(head, found), trace);
    return verdict instanceof Refused || trace === null ? verdict : trace.along(verdict);
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

function asked({ method, target }: RequestHead, found: Destination | Refused): Asked {
  const upstream = found instanceof Refused ? '' : found.name;
  const effect = found instanceof Refused ? 'none' : 'allow';
  const judged = { decision: '', effect, rule: '', dryRun: 0 } as const;
  return { side: 'outbound', caller: '', upstream, method, path: target.path, ...judged };
}
