import type { Log } from '../../lib/adapter/log.ts';
import type { Counter, Metrics } from '../../lib/adapter/metrics.ts';
import { type RiskRules, routeOf, type Score } from '../../lib/risk/index.ts';
import type { DecisionLog } from '../decide.ts';

export type AnomaliesDeps = {
  readonly rules: RiskRules['anomaly'];
  readonly audit: DecisionLog;
  readonly log: Log;
  readonly metrics: Metrics;
};

type Place = { readonly caller: string; readonly method: string; readonly path: string; readonly at: number };

const MINUTE_MS = 60_000;
/** Of all callers together. */
const MOST_A_MINUTE = 60;
const MOST_CALLERS = 1_024;

/** Writes down what is unusual: in the audit and the log, of each caller and of all no more than so often. */
export class Anomalies {
  private readonly deps: AnomaliesDeps;
  private readonly counter: Counter;
  private readonly last = new Map<string, number>();
  private minute = 0;
  private written = 0;
  /** Those that were not written since the last that was. */
  private held = 0;

  constructor(deps: AnomaliesDeps) {
    this.deps = deps;
    this.counter = deps.metrics.counter(
      'signet_anomalies_total',
      'Requests found unusual, by whether that was written down',
    );
  }

  judge({ caller, method, path, at }: Place, { score, reasons }: Score): void {
    const { rules, audit, log } = this.deps;
    if (rules === null || score < rules.from) return;
    if (!audit.accepting || !this.mayWrite(caller, at, rules.everyMs)) {
      this.held++;
      this.counter.add(1, { written: 'no' });
      return;
    }
    const event = { caller, method, route: routeOf(path), score, reasons, held: this.held };
    this.held = 0;
    this.counter.add(1, { written: 'yes' });
    audit.record({ type: 'anomaly', ...event }, new Date(at));
    log.warn('anomaly', event);
  }

  private mayWrite(caller: string, at: number, everyMs: number): boolean {
    const minute = Math.floor(at / MINUTE_MS);
    if (minute !== this.minute) {
      this.minute = minute;
      this.written = 0;
    }
    const last = this.last.get(caller);
    if (this.written >= MOST_A_MINUTE || (last !== undefined && at - last < everyMs)) return false;
    if (this.last.size >= MOST_CALLERS) this.last.delete(this.last.keys().next().value!);
    this.last.delete(caller);
    this.last.set(caller, at);
    this.written++;
    return true;
  }
}
