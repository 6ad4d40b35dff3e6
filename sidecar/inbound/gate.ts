import type { Socket } from 'node:net';
import type { Clock } from '../../lib/adapter/clock.ts';
import { ANONYMOUS, type Decision, type Denial } from '../../lib/policy/index.ts';
import type { Caller, Decider, Verdict } from '../decide.ts';
import type { RequestHead } from '../http1/index.ts';
import type { Credentials } from '../identity/credentials.ts';
import type { Observing, Asked as Watched } from '../observe.ts';
import {
  type Gate,
  Pending,
  Refused,
  type Route,
  type SpliceEnd,
  type SpliceMeter,
  type Watch,
} from '../relay/index.ts';
import { challenged } from './challenged.ts';
import { RequestFacts } from './facts.ts';
import type { Asked, Passages } from './passages.ts';
import type { Peer } from './peer.ts';
import type { RequestProofs, Screens } from './screens.ts';
import type { Standing } from './standing.ts';

export type GateDeps = {
  readonly credentials: Credentials;
  readonly decider: Decider;
  readonly clock: Clock;
  readonly splices: SpliceMeter;
  readonly passages: Passages;
  readonly screens: Screens;
  /** Null: nobody observes. */
  readonly observing: Observing | null;
};

/** As many as there are streams on a connection. */
const MOST_ASKED = 128;

/** The way to the app, with header lines of ours. */
export type RouteWith = (append: Buffer) => Route;

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

/** Before a connection whose peer showed a certificate that is no valid SVID: TLS let it in, nothing else does. */
export class StrangerGate implements Gate {
  /** What it shows proves nothing. */
  readonly peer = null;
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

/** Before a connection whose caller is known, or known to have no SVID: judges its standing and each of its requests. */
export class CallerGate implements Gate {
  readonly peer: string | null;
  private readonly deps: GateDeps;
  private readonly caller: Caller | Peer;
  private readonly stands: Standing;
  private readonly route: Route;
  private readonly facts: RequestFacts;
  /** Null for callers who cannot prove anything. */
  private readonly proofs: RequestProofs | null;
  passed = '';
  /** What was decided last, for those who observe. */
  private decided: Decision | null = null;
  watch: Watch | null = null;
  /** What was asked to live on and may yet come to stand, by decision; null where nothing was. */
  private asked: Map<string, Asked> | null = null;

  constructor(
    caller: Caller | Peer,
    stands: Standing,
    route: RouteWith,
    socket: Socket,
    deps: GateDeps,
    proofs: RequestProofs | null = null,
  ) {
    this.deps = deps;
    this.proofs = proofs;
    this.caller = caller;
    this.peer = caller.id === ANONYMOUS ? null : caller.id.toString();
    this.stands = stands;
    this.facts = new RequestFacts(caller, socket.remoteAddress ?? null, deps.screens.risks);
    this.route = route(Buffer.from(`x-signet-caller: ${caller.id}\r\n`));
  }

  gathers(head: RequestHead): boolean {
    return this.proofs?.needsBody(head) ?? false;
  }

  admit(head: RequestHead): Route | Refused | Pending {
    const { observing } = this.deps;
    if (observing === null) return this.judge(head);
    this.passed = '';
    this.decided = null;
    const trace = observing.trace(head, this.peer !== null);
    const verdict = this.judge(head, trace?.correlation);
    if (verdict instanceof Pending) return verdict;
    this.watch = observing.watch(this.watched(head, verdict), trace);
    return verdict instanceof Refused || trace === null ? verdict : trace.along(verdict);
  }

  private judge(head: RequestHead, correlation?: string): Route | Refused | Pending {
    const { credentials, decider, clock, screens } = this.deps;
    const now = clock.now();
    const nowMs = now.getTime();
    const svid = credentials.current;
    if (svid === null || svid.notAfter.getTime() <= nowMs) return this.noted(NO_IDENTITY);
    const refusal = this.stands.refusal(nowMs);
    if (refusal !== null) return this.noted(refusal);
    const { facts } = this;
    const user = screens.users === null ? null : screens.users.identify(head, now);
    if (user instanceof Pending) return user;
    if (user instanceof Refused) return this.noted(user);
    const origin = screens.origins === null ? null : screens.origins.trace(this.caller, head, now);
    if (origin instanceof Refused) return this.noted(origin);
    // last before policy: what waits is shown again, and a proof holds once
    const unproven = this.proofs === null || head.via === 'tcp' ? null : this.proofs.check(head, now);
    if (unproven !== null) return this.noted(unproven);
    facts.begin(head, now, user);
    if (origin !== null) facts.chain = origin.path;
    const verdict = decider.decide(this.caller, head.method, head.target.path, now, facts, correlation);
    if (verdict === null) return UNDECIDED;
    const { decision } = verdict;
    this.passed = verdict.id;
    this.decided = decision;
    if (decision.effect === 'deny') return forbidden(verdict, decision, this.caller, head);
    if (head.websocket || head.via === 'tcp') this.keep(head);
    if (screens.view === null) return this.route;
    const lines = screens.view.lines(this.caller, facts, verdict.id, head, origin);
    return lines === null ? this.route : this.route.plus(lines);
  }

  malformed(code: string): void {
    this.deps.decider.refused(this.caller, code);
  }

  standing(): string | null {
    return this.stands.fault(this.deps.clock.now().getTime());
  }

  spliced(protocol: string, decision: string, cut: () => void): (end: SpliceEnd) => void {
    const counted = this.deps.splices.begin(protocol);
    const over = this.deps.passages.add(this.caller, this.asked?.get(decision) ?? null, cut);
    this.asked?.delete(decision);
    return (end) => {
      over();
      counted(end);
      this.deps.decider.ended(this.caller, decision, protocol, end);
    };
  }

  private watched({ method, target }: RequestHead, verdict: Route | Refused): Watched {
    const decision = this.passed;
    const denied = decision === '' ? 'none' : 'deny';
    const effect = verdict instanceof Refused ? denied : 'allow';
    const caller = this.caller.id.toString();
    const [rule, dryRun] = [this.decided?.rule ?? '', this.decided?.dryRun.length ?? 0];
    return {
      side: 'inbound',
      caller,
      upstream: '',
      method,
      path: target.path,
      decision,
      effect,
      rule,
      dryRun,
    };
  }

  /** Those that the app turned down are pushed out by others. */
  private keep({ method, target }: RequestHead): void {
    const { facts } = this;
    this.asked ??= new Map();
    const { asked } = this;
    const { policy } = this.deps.decider;
    if (asked.size === MOST_ASKED) asked.delete(asked.keys().next().value ?? '');
    asked.set(this.passed, { policy, method, path: target.path, facts: facts.kept() });
  }

  private noted(refused: Refused): Refused {
    this.deps.decider.refused(this.caller, refused.problem.code);
    return refused;
  }
}

function forbidden(
  { id }: Verdict,
  { code, rule, challenge }: Denial,
  caller: Caller,
  head: RequestHead,
): Refused {
  const request = `${head.method} ${head.target.path} for ${caller.id}`;
  const detail = rule === null ? `no policy allows ${request}` : `policy ${rule} denies ${request}`;
  const problem = { status: 403, code, detail, rule, decision_id: id };
  return challenge === undefined ? new Refused(problem) : challenged(problem, challenge);
}
