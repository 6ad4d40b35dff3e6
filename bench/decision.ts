import { output } from './processes.ts';

/** What bench/policy-decision.ts tells. */
export type Decision = {
  readonly documents: number;
  readonly mean_ns: number;
  readonly p50_ns: number;
  readonly p99_ns: number;
  readonly p999_ns: number;
};

export const DECISION = 'policy decision';

/** In a process of its own, with the flags that our proxies have. */
export async function measureDecision(dist: string, flags: readonly string[]): Promise<Decision> {
  const text = await output(process.execPath, [...flags, `${dist}/bench/policy-decision.js`]);
  return JSON.parse(text) as Decision;
}
