import type { Sample } from './measure.ts';
import type { Load, Section } from './scenarios.ts';
import { DIRECT } from './subjects.ts';

/** What may stand in a row; which of them does, the section says. */
export type Figure =
  | 'cpu_ms'
  | 'x_nginx'
  | 'x_envoy'
  | 'rate'
  | 'p50_ms'
  | 'p99_ms'
  | 'added_p50_ms'
  | 'added_p99_ms'
  | 'p99_x_nginx'
  | 'private_mb'
  | `${'idle' | 'busy' | 'held'}_${'private' | 'pss' | 'rss'}_mb`
  | 'kb_per_connection';

export type Row = {
  readonly section: Section;
  readonly name: string;
  readonly impl: string;
  readonly figures: Readonly<Partial<Record<Figure, number>>>;
};

const MEGABYTE = 1e6;

/**
 * A row for each subject: medians over the rounds; what compares two of them is the median of the comparisons within each round.
 * CPU and rate count megabytes where the load does, else CPU is for 1,000 requests and the rate for one second.
 */
export function rowsOf(section: Section, load: Load, samples: ReadonlyMap<string, readonly Sample[]>): Row[] {
  return [...samples].map(([impl, own]) => {
    const against = (name: string, figure: (mine: Sample, other: Sample) => number) => {
      const other = samples.get(name);
      return other === undefined ? undefined : median(own.map((sample, i) => figure(sample, other[i]!)));
    };
    const cpu = (sample: Sample) => cpuOf(sample) / amountOf(sample, load);
    const ratio = (name: string) =>
      impl === DIRECT ? undefined : against(name, (mine, other) => cpu(mine) / cpu(other));
    const added = (key: 'p50_ms' | 'p99_ms') =>
      impl === DIRECT ? undefined : against(DIRECT, (mine, direct) => mine[key] - direct[key]);
    const perMs = load.bytes === undefined ? 1_000 : 1;
    const figures = {
      cpu_ms: impl === DIRECT ? undefined : median(own.map(cpu)) * perMs,
      x_nginx: ratio('nginx'),
      x_envoy: ratio('envoy'),
      rate: median(own.map((sample) => amountOf(sample, load) / sample.seconds)),
      p50_ms: median(own.map((sample) => sample.p50_ms)),
      p99_ms: median(own.map((sample) => sample.p99_ms)),
      added_p50_ms: added('p50_ms'),
      added_p99_ms: added('p99_ms'),
      p99_x_nginx: against('nginx', (mine, nginx) => mine.p99_ms / nginx.p99_ms),
      private_mb:
        impl === DIRECT ? undefined : median(own.map((sample) => sum(sample, 'after', 'private_mb'))),
    };
    return { section, name: load.name, impl, figures: known(figures) };
  });
}

/** Over all processes of a subject. */
export function sum(
  sample: Sample,
  when: 'before' | 'after',
  kind: 'private_mb' | 'pss_mb' | 'rss_mb',
): number {
  return sample.processes.reduce((total, process) => total + process[when][kind], 0);
}

export function known<K extends string>(figures: Record<K, number | undefined>): Partial<Record<K, number>> {
  const entries = Object.entries<number | undefined>(figures).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Partial<Record<K, number>>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function cpuOf(sample: Sample): number {
  return sample.processes.reduce((total, { cpu_ms }) => total + cpu_ms, 0);
}

function amountOf({ requests }: Sample, { bytes }: Load): number {
  return bytes === undefined ? requests : (requests * bytes) / MEGABYTE;
}
