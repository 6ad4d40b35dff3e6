import type { Log } from '../../lib/adapter/log.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import type { Facts, Risk } from '../../lib/policy/index.ts';
import { Baseline, type Outcome, type Report, type RiskRules, scoreOf } from '../../lib/risk/index.ts';
import type { Caller, DecisionLog } from '../decide.ts';
import type { RequestHead } from '../http1/index.ts';
import type { Risks } from '../inbound/screens.ts';
import { Anomalies } from './anomalies.ts';

export type RisksDeps = {
  readonly rules: RiskRules;
  readonly audit: DecisionLog;
  readonly log: Log;
  readonly metrics: Metrics;
};

/** What an observer of exchanges is told, as far as it counts here. */
export type Observed = Outcome & { readonly side: 'inbound' | 'outbound' };

const LONGEST_REASON = 200;
/** Exchanges between two looks at whether their caller does something unusual. A power of two. */
const LOOK_EVERY = 16;

/** Says how unusual a request is, by what was observed of its caller, what policy knows of it, and what others report. */
export class LocalRisks implements Risks {
  private readonly rules: RiskRules;
  /** Those that an exchange which is over still shows. */
  private readonly shown: RiskRules;
  private readonly baseline: Baseline;
  private readonly anomalies: Anomalies;
  private readonly observations: { add(): void };
  private sinceLook = 0;

  constructor({ rules, audit, log, metrics }: RisksDeps) {
    const {
      acr: _acr,
      token_age: _age,
      network: _network,
      recent: _recent,
      reported: _told,
      ...inputs
    } = rules.inputs;
    this.rules = rules;
    this.shown = { ...rules, inputs };
    this.baseline = new Baseline(rules.learnMinutes);
    this.anomalies = new Anomalies({ audit, log, metrics, rules: rules.anomaly });
    this.observations = metrics.counter('signet_risk_observations_total', 'Exchanges learned from');
  }

  assess(caller: Caller, facts: Omit<Facts, 'risk'>, { method, target }: RequestHead): Risk {
    const { size, source, user, now } = facts;
    const asked = { caller: caller.id.toString(), method, path: target.path, at: now.getTime() };
    const risk = scoreOf(this.rules, this.baseline, { ...asked, size, source, user });
    this.anomalies.judge(asked, risk);
    return risk;
  }

  /** Told of every exchange when it is over. */
  observed(exchange: Observed): void {
    if (exchange.side !== 'inbound' || exchange.caller === '') return;
    this.observations.add();
    const isNew = this.baseline.observe(exchange);
    if (!isNew && (++this.sinceLook & (LOOK_EVERY - 1)) !== 0) return;
    const { caller, method, path, received: size, at } = exchange;
    const question = { caller, method, path, size, source: null, user: null, at };
    this.anomalies.judge(question, scoreOf(this.shown, this.baseline, question));
  }

  /** Takes what others found out about a caller, such as the broker. `score`: 0 to 100. */
  report(caller: string, { score, reason, at }: Report): void {
    const [bounded, told] = [Math.min(100, Math.max(0, score)), reason.slice(0, LONGEST_REASON)];
    this.baseline.report(caller, { score: bounded, reason: told, at });
  }
}
