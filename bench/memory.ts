import { setTimeout as sleep } from 'node:timers/promises';
import type { Generate, Sample } from './measure.ts';
import { type Figure, known, median, type Row, sum } from './rows.ts';
import { ALL_PEERS, RULES } from './scenarios.ts';
import { launch, type Place, type Subject } from './subjects.ts';
import { PATH } from './world.ts';

export const MEMORY = 'memory';
const IDLE_CONNECTIONS = 1_000;
export const IDLE = '1,000 idle connections';
/** What is still done after a start is over by then. */
const REST_MS = 1_000;
const KB_PER_MB = 1_024;

/** Processes as they are after their start, and again at the end of load on 64 connections. Each is started anew for each round. */
export function memoryRows(place: Place, generate: Generate, rounds: number, busyMs: number): Promise<Row[]> {
  const args = ['-path', PATH, '-connections', '64', '-warm', '0s', '-duration', `${busyMs}ms`];
  return rowsOfFresh(MEMORY, place, rounds, async (subject) => {
    const idle = await generate(subject, ['-path', PATH, '-idle', '1']);
    const busy = await generate(subject, args);
    return { ...memory('idle', idle, 'before'), ...memory('busy', busy, 'after') };
  });
}

/** Processes before and while a thousand connections are open, each after one request. */
export function idleRows(place: Place, generate: Generate, rounds: number): Promise<Row[]> {
  return rowsOfFresh(IDLE, place, rounds, async (subject) => {
    const sample = await generate(subject, ['-path', PATH, '-idle', String(IDLE_CONNECTIONS)]);
    const grown = sum(sample, 'after', 'private_mb') - sum(sample, 'before', 'private_mb');
    return {
      ...memory('idle', sample, 'before'),
      ...memory('held', sample, 'after'),
      kb_per_connection: (grown * KB_PER_MB) / IDLE_CONNECTIONS,
    };
  });
}

type Figures = Partial<Record<Figure, number>>;

async function rowsOfFresh(
  name: string,
  place: Place,
  rounds: number,
  look: (subject: Subject) => Promise<Figures>,
): Promise<Row[]> {
  const section = name === MEMORY ? 'memory' : 'idle';
  const setting = { protocol: 'http1', workers: 1, rules: RULES } as const;
  const seen = new Map<string, Figures[]>();
  for (let round = 1; round <= rounds; round++) {
    await using subjects = await launch(section, { section, setting, app: 'small', peers: ALL_PEERS }, place);
    await sleep(REST_MS);
    for (const subject of subjects.all) {
      const figures = await look(subject);
      seen.set(subject.name, [...(seen.get(subject.name) ?? []), figures]);
    }
    place.tell(`${name}, round ${round} of ${rounds}`);
  }
  return [...seen].map(([impl, all]) => {
    const keys = Object.keys(all[0]!) as Figure[];
    const figures = Object.fromEntries(keys.map((key) => [key, median(all.map((each) => each[key]!))]));
    return { section, name, impl, figures: known(figures) };
  });
}

function memory(state: 'idle' | 'busy' | 'held', sample: Sample, when: 'before' | 'after'): Figures {
  return {
    [`${state}_private_mb`]: sum(sample, when, 'private_mb'),
    [`${state}_pss_mb`]: sum(sample, when, 'pss_mb'),
    [`${state}_rss_mb`]: sum(sample, when, 'rss_mb'),
  };
}
