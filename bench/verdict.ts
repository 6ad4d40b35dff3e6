import { MEMORY } from './memory.ts';
import { provenBy } from './peers/signet.ts';
import type { Figure, Row } from './rows.ts';
import { PAIR_STEADY, PROVEN, SATURATED } from './scenarios.ts';

/** One budget held against what was measured. */
export type Verdict = {
  readonly budget: string;
  /** Undefined where the row was not measured, or there was nobody to compare with. */
  readonly measured: number | undefined;
  readonly outcome: string;
};

type Budget = {
  readonly text: string;
  readonly unit: string;
  readonly row: string;
  /** Whose. */
  readonly impl: string;
  readonly figure: Figure;
  readonly bound: number;
  /** Whether less is better. */
  readonly most: boolean;
};

const most = (
  text: string,
  row: string,
  figure: Figure,
  bound: number,
  unit: string,
  impl = 'signet',
): Budget => ({
  text,
  unit,
  row,
  impl,
  figure,
  bound,
  most: true,
});

const CHANNEL = provenBy('channel');

const BUDGETS: readonly Budget[] = [
  most('inbound: CPU at most 1.2 × nginx', SATURATED, 'x_nginx', 1.2, '×'),
  most('inbound: CPU at most 0.5 × Envoy with RBAC', SATURATED, 'x_envoy', 0.5, '×'),
  { ...most('inbound: 20,000 req/s by one process', SATURATED, 'rate', 20_000, 'req/s'), most: false },
  most('pair at 1,000 req/s: added p50 under 0.4 ms', PAIR_STEADY, 'added_p50_ms', 0.4, 'ms'),
  most("pair at 1,000 req/s: p99 at most 1.5 × nginx pair's", PAIR_STEADY, 'p99_x_nginx', 1.5, '×'),
  most('pair at 1,000 req/s: p99 under 1 ms', PAIR_STEADY, 'p99_ms', 1, 'ms'),
  most(
    "pair, requests proven by channel: CPU at most 1.8 × nginx pair's",
    PROVEN,
    'x_nginx',
    1.8,
    '×',
    CHANNEL,
  ),
  most('private memory, idle: at most 16 MB', MEMORY, 'idle_private_mb', 16, 'MB'),
  most('private memory, 64 busy connections: at most 25 MB', MEMORY, 'busy_private_mb', 25, 'MB'),
];
const DECISION_US = 5;

/** Holds our own rows against the budgets. `decisionNs` is the 99th percentile of a decision with 1,000 documents. */
export function verdicts(rows: readonly Row[], decisionNs: number | undefined): Verdict[] {
  const figures = ({ row, impl }: Budget) =>
    rows.find((each) => each.name === row && each.impl === impl)?.figures;
  const judged = BUDGETS.map((budget) => judge(budget, figures(budget)?.[budget.figure]));
  const decision = most(
    'policy decision: p99 under 5 µs with 1,000 documents',
    '',
    'p99_ms',
    DECISION_US,
    'µs',
  );
  return [...judged, judge(decision, decisionNs === undefined ? undefined : decisionNs / 1_000)];
}

function judge({ text, unit, bound, most }: Budget, measured: number | undefined): Verdict {
  if (measured === undefined) return { budget: text, measured, outcome: 'not measured' };
  const over = most ? measured - bound : bound - measured;
  const outcome = over <= 0 ? 'kept' : `missed by ${show(over)} ${unit}`;
  return { budget: text, measured, outcome: `${outcome} (${show(measured)} ${unit})` };
}

function show(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(2);
}
