import { output, type Running } from './processes.ts';
import { PATH } from './world.ts';

/** One run of the load generator. */
export type Sample = {
  readonly requests: number;
  readonly errors: number;
  readonly refused: number;
  readonly last_error?: string;
  readonly rps: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly cpu_ms_per_1k: number;
  readonly private_mb: number;
};

export type Load = {
  readonly name: string;
  readonly connections: number;
  /** Requests per second; 0 is as many as are answered. */
  readonly rate: number;
};

export type Row = {
  readonly name: string;
  readonly impl: string;
  readonly cpu_ms_per_1k: number;
  readonly ratio_to_nginx: number;
  readonly rps: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly private_mb: number;
};

export type Effort = { readonly rounds: number; readonly warmMs: number; readonly durationMs: number };

/**
 * Measures every program in turns, round after round, so that what else the machine does falls on all of them alike. A row holds
 * medians over the rounds; its ratio is the median of the ratios within each round.
 * @throws Error when a request fails: a figure with failures in it means nothing
 */
export async function compare(
  load: Load,
  programs: readonly Running[],
  loadgen: string,
  folder: string,
  effort: Effort,
  tell: (line: string) => void,
): Promise<Row[]> {
  const samples = new Map<string, Sample[]>(programs.map(({ name }) => [name, []]));
  for (let round = 1; round <= effort.rounds; round++) {
    for (const program of programs) {
      const sample = await once(load, program, loadgen, folder, effort);
      if (sample.errors + sample.refused > 0) {
        const { errors, refused, last_error } = sample;
        throw new Error(
          `${program.name}: ${errors} errors (${last_error ?? ''}), ${refused} answers that were not 200`,
        );
      }
      samples.get(program.name)!.push(sample);
      tell(
        `${load.name} ${round}/${effort.rounds} ${program.name}: ${sample.cpu_ms_per_1k.toFixed(1)} ms per 1,000`,
      );
    }
  }
  const base = samples.get('nginx')!;
  return programs.map(({ name }) => {
    const own = samples.get(name)!;
    const of = (key: 'cpu_ms_per_1k' | 'rps' | 'p50_ms' | 'p99_ms' | 'private_mb') =>
      median(own.map((s) => s[key]));
    return {
      name: load.name,
      impl: name,
      cpu_ms_per_1k: round(of('cpu_ms_per_1k'), 1),
      ratio_to_nginx: round(median(own.map((s, i) => s.cpu_ms_per_1k / base[i]!.cpu_ms_per_1k)), 2),
      rps: Math.round(of('rps')),
      p50_ms: round(of('p50_ms'), 3),
      p99_ms: round(of('p99_ms'), 3),
      private_mb: round(of('private_mb'), 1),
    };
  });
}

async function once(
  load: Load,
  program: Running,
  loadgen: string,
  folder: string,
  effort: Effort,
): Promise<Sample> {
  const text = await output(loadgen, [
    ...[
      '-address',
      `127.0.0.1:${program.port}`,
      '-folder',
      folder,
      '-path',
      PATH,
      '-pids',
      String(program.pid),
    ],
    ...['-connections', String(load.connections), '-rate', String(load.rate)],
    ...['-warm', `${effort.warmMs}ms`, '-duration', `${effort.durationMs}ms`],
  ]);
  return JSON.parse(text) as Sample;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
