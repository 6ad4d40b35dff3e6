import { DURATION_COUNTS, quantile } from './durations.ts';
import type { CallMinute, CallRow, CallSample } from './report.ts';

/** Who calls whom, and what came of it. */
export type Edge = Counts & {
  readonly caller: string;
  readonly service: string;
  /** The busiest first. */
  readonly routes: readonly RouteCounts[];
  /** How many routes there are beside. */
  readonly routes_more: number;
  /** Denials first. */
  readonly samples: readonly EdgeSample[];
};

export type EdgeSample = Omit<CallSample, 'caller'> & { readonly minute: string };

export type Counts = {
  readonly count: number;
  /** By a rule, or for want of one. */
  readonly denied: number;
  /** Before they could be judged. */
  readonly refused: number;
  readonly errors: number;
  /** Of those that were let through. */
  readonly error_share: number;
  readonly dry_run: number;
  readonly received: number;
  readonly sent: number;
  /** Null where nothing was let through. */
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
};

export type RouteCounts = Counts & { readonly method: string; readonly route: string };

/** A minute, and the service whose sidecar told of it. */
export type Told = CallMinute & { readonly service: string };

const MOST_ROUTES = 10;
const MOST_SAMPLES = 5;

/** Adds up what was told, by caller and service; the busiest edge comes first. */
export function serviceMap(told: Iterable<Told>): Edge[] {
  const edges = new Map<string, Sums>();
  for (const { service, minute, rows, samples } of told) {
    const at = new Date(minute * 60_000).toISOString();
    for (const row of rows) edgeOf(edges, row.caller, service).add(row);
    for (const { caller, ...sample } of samples)
      edgeOf(edges, caller, service).see({ minute: at, ...sample });
  }
  return Array.from(edges.values(), (sums) => sums.edge()).sort(
    (a, b) => b.count - a.count || (`${a.caller} ${a.service}` < `${b.caller} ${b.service}` ? -1 : 1),
  );
}

function edgeOf(edges: Map<string, Sums>, caller: string, service: string): Sums {
  const key = `${caller} ${service}`;
  let sums = edges.get(key);
  if (sums === undefined) edges.set(key, (sums = new Sums(caller, service)));
  return sums;
}

class Sums {
  private readonly caller: string;
  private readonly service: string;
  private readonly all = new Sum();
  private readonly routes = new Map<string, { method: string; route: string; sum: Sum }>();
  private samples: EdgeSample[] = [];

  constructor(caller: string, service: string) {
    this.caller = caller;
    this.service = service;
  }

  add(row: CallRow): void {
    const { method, route } = row;
    const key = `${method} ${route}`;
    let known = this.routes.get(key);
    if (known === undefined) this.routes.set(key, (known = { method, route, sum: new Sum() }));
    known.sum.add(row);
    this.all.add(row);
  }

  /** The newest of each kind stay, and denials before others. */
  see(sample: EdgeSample): void {
    this.samples.push(sample);
    if (this.samples.length > MOST_SAMPLES) this.samples = this.chosen();
  }

  edge(): Edge {
    const { caller, service, routes, all } = this;
    const byCount = [...routes.values()].sort((a, b) => b.sum.count - a.sum.count);
    return {
      ...{ caller, service, ...all.counts() },
      routes: byCount
        .slice(0, MOST_ROUTES)
        .map(({ method, route, sum }) => ({ method, route, ...sum.counts() })),
      routes_more: Math.max(0, byCount.length - MOST_ROUTES),
      samples: this.chosen(),
    };
  }

  private chosen() {
    const rank = ({ effect }: EdgeSample) => (effect === 'allow' ? 1 : 0);
    return this.samples
      .toSorted((a, b) => rank(a) - rank(b) || (a.minute < b.minute ? 1 : -1))
      .slice(0, MOST_SAMPLES);
  }
}

class Sum {
  count = 0;
  private denied = 0;
  private refused = 0;
  private errors = 0;
  private dryRun = 0;
  private received = 0;
  private sent = 0;
  private readonly durations = Array<number>(DURATION_COUNTS).fill(0);

  add({ count, errors, effect, dry_run, received, sent, durations }: CallRow): void {
    this.count += count;
    this.errors += errors;
    this.dryRun += dry_run;
    this.received += received;
    this.sent += sent;
    if (effect === 'deny') this.denied += count;
    else if (effect === 'none') this.refused += count;
    else for (const [i, n] of durations.entries()) this.durations[i] = (this.durations[i] ?? 0) + n;
  }

  counts(): Counts {
    const { count, denied, refused, errors, dryRun, received, sent, durations } = this;
    const passed = count - denied - refused;
    return {
      ...{ count, denied, refused, errors, dry_run: dryRun, received, sent },
      error_share: passed === 0 ? 0 : errors / passed,
      ...{ p50_ms: quantile(durations, 0.5), p99_ms: quantile(durations, 0.99) },
    };
  }
}
