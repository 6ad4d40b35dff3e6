import type { Clock } from '../lib/adapter/clock.ts';
import type { TraceContext } from '../lib/telemetry/index.ts';
import type { Problem, RequestHead } from './http1/index.ts';
import type { ExchangeEnd, Route, Watch } from './relay/index.ts';

/** One exchange that is over. */
export type Observation = {
  readonly side: 'inbound' | 'outbound';
  /** A SPIFFE ID or `anonymous`; empty for the calls of our own app. */
  readonly caller: string;
  /** The name of the upstream that the app called; empty inbound, and where none was found. */
  readonly upstream: string;
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  /** The name of the decision in the audit; empty where there was none. */
  readonly decision: string;
  /** `none`: it was refused before it could be judged. */
  readonly effect: Effect;
  /** The name of the rule that decided; empty where none did. */
  readonly rule: string;
  /** How many dry-run rules held. */
  readonly dryRun: number;
  /** Of the answer, ours or another's; null when it was cut before there was one. */
  readonly status: number | null;
  /** The stable code of an answer of our own; empty for any other. */
  readonly code: string;
  /** Bytes of the request's body that came, and of the answer's that went, as they were framed. */
  readonly received: number;
  readonly sent: number;
  /** The answer was complete. */
  readonly whole: boolean;
  /** From the judgement to the end. */
  readonly ms: number;
  /** When it was judged, in milliseconds since 1970. */
  readonly at: number;
  /** Null where none is kept. */
  readonly trace: Trace | null;
};

export type Effect = 'allow' | 'deny' | 'none';

/** Told of every exchange when it is over. Called between two requests: it must be quick, and must not throw. */
export interface Observer {
  observed(observation: Observation): void;
}

/** Where in its trace one request stands. */
export interface Trace {
  /** Its trace, and the span that is ours. */
  readonly context: TraceContext;
  /** The span of whoever asked; empty: the trace begins with us. */
  readonly parentId: string;
  /** What vendors say of the trace (`tracestate`); empty: nothing. */
  readonly state: string;
  /** The name of the request in logs, audit and answers, the same on its whole way. */
  readonly correlation: string;
  /** The same way, on which the next one is told all this, instead of what the caller told. */
  along(route: Route): Route;
}

export interface Tracing {
  /** `trusted`: whoever asks may say that the trace is to be recorded. The head is good until the call returns. */
  begin(head: RequestHead, trusted: boolean): Trace;
}

/** What is known of an exchange when it was judged. */
export type Asked = Pick<
  Observation,
  'side' | 'caller' | 'upstream' | 'method' | 'path' | 'decision' | 'effect' | 'rule' | 'dryRun'
>;

/** Watches over exchanges for those who observe them. Where nobody does there is none, and nothing is made or called. */
export class Observing {
  private readonly observers: readonly Observer[];
  private readonly clock: Clock;
  private readonly tracing: Tracing | null;

  constructor(observers: readonly Observer[], clock: Clock, tracing: Tracing | null = null) {
    this.observers = observers;
    this.clock = clock;
    this.tracing = tracing;
  }

  /** See `Tracing.begin`. */
  trace(head: RequestHead, trusted: boolean): Trace | null {
    return this.tracing === null ? null : this.tracing.begin(head, trusted);
  }

  watch(asked: Asked, trace: Trace | null): Watch {
    return new ExchangeWatch(asked, trace, this.clock.now().getTime(), this.observers);
  }
}

/** Null where nobody observes. */
export function observingFor(
  observers: readonly Observer[],
  clock: Clock,
  tracing: Tracing | null,
): Observing | null {
  return observers.length === 0 && tracing === null ? null : new Observing(observers, clock, tracing);
}

class ExchangeWatch implements Watch {
  private readonly asked: Asked;
  private readonly trace: Trace | null;
  private readonly at: number;
  private readonly began = performance.now();
  private readonly observers: readonly Observer[];
  private code = '';

  constructor(asked: Asked, trace: Trace | null, at: number, observers: readonly Observer[]) {
    this.asked = asked;
    this.trace = trace;
    this.at = at;
    this.observers = observers;
  }

  answered(problem: Problem): Problem {
    this.code = problem.code;
    return this.trace === null ? problem : { ...problem, correlation_id: this.trace.correlation };
  }

  ended({ status, received, sent, whole }: ExchangeEnd): void {
    const { code, at, trace } = this;
    const ms = performance.now() - this.began;
    const observation = { ...this.asked, status, code, received, sent, whole, ms, at, trace };
    for (const observer of this.observers) observer.observed(observation);
  }
}
