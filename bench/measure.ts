import { output } from './processes.ts';
import type { Load } from './scenarios.ts';
import type { Subject } from './subjects.ts';

type Memory = { readonly private_mb: number; readonly pss_mb: number; readonly rss_mb: number };

/** One run of the load generator. */
export type Sample = {
  readonly requests: number;
  readonly errors: number;
  readonly refused: number;
  readonly last_error?: string;
  readonly seconds: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly processes: readonly {
    readonly pid: number;
    readonly cpu_ms: number;
    readonly before: Memory;
    readonly after: Memory;
  }[];
};

export type Effort = {
  readonly rounds: number;
  /** Of the rows that the budgets are about. */
  readonly closeRounds: number;
  readonly warmMs: number;
  readonly durationMs: number;
  /** Load before the first round, not counted, for those whose code is compiled while it runs. */
  readonly settleMs: number;
};

/** Runs the load generator against a subject. @throws Error when a request fails: a figure with failures in it means nothing */
export type Generate = (subject: Subject, args: readonly string[]) => Promise<Sample>;

export function generator(binary: string, folder: string): Generate {
  return async ({ name, port, pids, plain }, args) => {
    const target = ['-address', `127.0.0.1:${port}`, '-folder', folder, ...(plain ? ['-plain'] : [])];
    const text = await output(binary, [...target, '-pids', pids.join(','), ...args]);
    const sample = JSON.parse(text) as Sample;
    const { requests, errors, refused, last_error } = sample;
    if (errors + refused > 0)
      throw new Error(
        `${name}: ${errors} errors (${last_error ?? ''}), ${refused} answers that were not 200`,
      );
    if (requests === 0) throw new Error(`${name}: not one answer`);
    return sample;
  };
}

/**
 * Measures every subject in turns, round after round, so that what else the machine does falls on all of them alike.
 * @returns for each subject its samples, in the order of the rounds
 */
export async function compare(
  load: Load,
  subjects: readonly Subject[],
  generate: Generate,
  effort: Effort,
  tell: (line: string) => void,
): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>(subjects.map(({ name }) => [name, []]));
  const rounds = load.close ? effort.closeRounds : effort.rounds;
  const time = ['-warm', `${effort.warmMs}ms`, '-duration', `${effort.durationMs}ms`];
  for (let round = 1; round <= rounds; round++) {
    const said: string[] = [];
    for (const subject of subjects) {
      const sample = await generate(subject, [...load.args, ...time]);
      samples.get(subject.name)!.push(sample);
      said.push(`${subject.name} ${Math.round(sample.requests / sample.seconds)}/s`);
    }
    tell(`${load.name}, round ${round} of ${rounds}: ${said.join(', ')}`);
  }
  return samples;
}

/** Runs load that is not counted. */
export async function settle(
  load: Load,
  subjects: readonly Subject[],
  generate: Generate,
  effort: Effort,
): Promise<void> {
  for (const subject of subjects.filter(({ settles }) => settles))
    await generate(subject, [...load.args, '-warm', '0s', '-duration', `${effort.settleMs}ms`]);
}
