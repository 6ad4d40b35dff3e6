import { performance } from 'node:perf_hooks';
import type { Clock } from '../lib/adapter/clock.ts';
import type { Problem } from './http1/index.ts';
import type { ExchangeEnd, Watch } from './relay/index.ts';

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
};

export type Effect = 'allow' | 'deny' | 'none';

/** Told of every exchange when it is over. Called between two requests: it must be quick, and must not throw. */
export interface Observer {
  observed(observation: Observation): void;
}

/** What is known of an exchange when it was judged. */
export type Asked = Pick<
  Observation,
  'side' | 'caller' | 'upstream' | 'method' | 'path' | 'decision' | 'effect'
>;

/** Watches over exchanges for those who observe them. Where nobody does there is none, and nothing is made or called. */
export class Observing {
  private readonly observers: readonly Observer[];
  private readonly clock: Clock;

  constructor(observers: readonly Observer[], clock: Clock) {
    this.observers = observers;
    this.clock = clock;
  }

  watch(asked: Asked): Watch {
    return new ExchangeWatch(asked, this.clock.now().getTime(), this.observers);
  }
}

/** Null where nobody observes. */
export function observingFor(observers: readonly Observer[], clock: Clock): Observing | null {
  return observers.length === 0 ? null : new Observing(observers, clock);
}

class ExchangeWatch implements Watch {
  private readonly asked: Asked;
  private readonly at: number;
  private readonly began = performance.now();
  private readonly observers: readonly Observer[];
  private code = '';

  constructor(asked: Asked, at: number, observers: readonly Observer[]) {
    this.asked = asked;
    this.at = at;
    this.observers = observers;
  }

  answered(problem: Problem): Problem {
    this.code = problem.code;
    return problem;
  }

  ended({ status, received, sent, whole }: ExchangeEnd): void {
    const { code, at } = this;
    const ms = performance.now() - this.began;
    const observation = { ...this.asked, status, code, received, sent, whole, ms, at };
    for (const observer of this.observers) observer.observed(observation);
  }
}
