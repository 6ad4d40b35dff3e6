import { setTimeout as wait } from 'node:timers/promises';
import { until } from '../../sidecar/sockets.ts';

/** Where the app calls: HTTP of every kind, and bare bytes. */
export type Place = { readonly http: string; readonly tcp: string };

/** It went well. */
export const OK = 'ok';
/** Nothing of it can have been acted on, or it may be done twice: any app would ask again, and this one does. */
export const AGAIN = 'again';
/** A stream that lives for long was ended in its protocol's own way. */
export const PARTED = 'parted';

/** One who calls the service `orders`, over connections of its own. */
export interface Caller {
  /** One thing, or several at once; the outcome of each is one of the above or says what went wrong. It never throws. */
  once(): Promise<readonly string[]>;
  close(): void;
}

/** How often each outcome came. */
export type Outcomes = Readonly<Record<string, number>>;

const PATIENCE_MS = 30_000;
const BACK_OFF_MS = 20;

/** Callers of several kinds that ask one thing after the other, whatever comes of it. */
export class Traffic implements AsyncDisposable {
  private readonly callers: Caller[] = [];
  private readonly lanes: Promise<void>[] = [];
  private counts = new Map<string, Record<string, number>>();
  private readonly restMs: number;
  private stopped = false;

  /** `restMs`: between two exchanges of one caller. */
  constructor(place: Place, kinds: Readonly<Record<string, (place: Place) => Caller>>, restMs = 0) {
    this.restMs = restMs;
    for (const [name, call] of Object.entries(kinds)) {
      this.counts.set(name, {});
      const caller = call(place);
      this.callers.push(caller);
      this.lanes.push(this.drive(name, caller));
    }
  }

  /** Waits until every kind of caller has been answered well so often from now on. */
  moved(times = 5): Promise<void> {
    return this.reached(times, ({ [OK]: well = 0 }) => well);
  }

  /** Waits until every kind of caller has had so many other outcomes from now on. */
  failed(times = 1): Promise<void> {
    return this.reached(times, ({ [OK]: _, ...others }) => Object.values(others).reduce((a, b) => a + b, 0));
  }

  private async reached(times: number, measure: (counts: Outcomes) => number): Promise<void> {
    const goals = [...this.counts].map(([name, counts]) => [name, measure(counts) + times] as const);
    const behind = () => goals.filter(([name, goal]) => measure(this.counts.get(name) ?? {}) < goal);
    await until(
      () => behind().length === 0,
      () => `${behind().map(([name]) => name)} did not move: ${JSON.stringify([...this.counts])}`,
    );
  }

  /** The outcomes since the last time, by kind; the counting begins anew. */
  take(): Readonly<Record<string, Outcomes>> {
    const taken = Object.fromEntries(this.counts);
    this.counts = new Map([...this.counts].map(([name]) => [name, {}]));
    return taken;
  }

  /** Ends when everything under way has its outcome. */
  async stop(): Promise<Readonly<Record<string, Outcomes>>> {
    this.stopped = true;
    await Promise.all(this.lanes);
    for (const caller of this.callers) caller.close();
    return this.take();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  private async drive(name: string, caller: Caller): Promise<void> {
    while (!this.stopped) {
      const late = wait(PATIENCE_MS, ['no answer'], { ref: false });
      const outcomes = await Promise.race([caller.once(), late]);
      const counts = this.counts.get(name)!;
      for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
      if (this.restMs > 0) await wait(this.restMs);
      if (outcomes.some((outcome) => outcome !== OK)) await wait(BACK_OFF_MS);
    }
  }
}

/** What went wrong: all outcomes but those that may be, by kind. Empty when there is none. */
export function faults(
  outcomes: Readonly<Record<string, Outcomes>>,
  allowed: readonly string[] = [OK],
): Record<string, Outcomes> {
  const strange = Object.entries(outcomes).map(([name, counts]) => [
    name,
    Object.fromEntries(Object.entries(counts).filter(([outcome]) => !allowed.includes(outcome))),
  ]);
  return Object.fromEntries(strange.filter(([, counts]) => Object.keys(counts as Outcomes).length > 0));
}

/** Answers of ours that say that nothing of the request was sent on. */
const UNSENT = [
  'upstream_unreachable',
  'app_unreachable',
  'draining',
  'no_svid',
  'not_decided',
  'upstream_busy',
];

/** The outcome that a problem document tells. */
export function told(status: number, body: string): string {
  let code = 'with no problem document';
  try {
    code = String(JSON.parse(body).code);
  } catch {}
  return UNSENT.includes(code) ? AGAIN : `${status} ${code}`;
}
