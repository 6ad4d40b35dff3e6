import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { opaBinary } from '../setup/opa.mjs';
import { compileForOpa } from './engines/opa.ts';
import { output } from './processes.ts';

/** What bench/policy-decision.ts tells. */
export type Decision = {
  readonly impl: string;
  readonly documents: number;
  readonly decisions: number;
  /** Of the requests that every engine answers first. */
  readonly allowed_of_first: number;
  readonly mean_ns: number;
  readonly p50_ns: number;
  readonly p99_ns: number;
  /** Null where too few decisions were made. */
  readonly p999_ns: number | null;
};

export const DECISION = 'policy decision';

/** Each engine in a process of its own, with the flags that our proxies have. @throws when they do not answer alike */
export async function measureDecisions(
  dist: string,
  flags: readonly string[],
  tell: (line: string) => void,
): Promise<Decision[]> {
  const measured: Decision[] = [];
  for (const engine of [['signet'], ['cedar'], await opa(dist)]) {
    if (engine === null) {
      tell('not installed, so left out: opa');
      continue;
    }
    tell(`policy decision: ${engine[0]}`);
    const script = join(dist, 'bench/policy-decision.js');
    measured.push(JSON.parse(await output(process.execPath, [...flags, script, ...engine])) as Decision);
  }
  const [ours, ...others] = measured;
  for (const { impl, allowed_of_first } of others)
    if (allowed_of_first !== ours!.allowed_of_first) throw new Error(`${impl} decides otherwise than signet`);
  return measured;
}

async function opa(dist: string): Promise<string[] | null> {
  const binary = opaBinary();
  if (binary === undefined) return null;
  const folder = join(dist, 'opa');
  mkdirSync(folder, { recursive: true });
  return ['opa', await compileForOpa(binary, folder)];
}
