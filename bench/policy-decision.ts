/**
 * What one policy decision costs: 1,000 documents for one service, most of which do not concern the request. Prints percentiles of
 * single decisions, the clock's own cost taken off, and the mean over a run without a clock in it.
 *
 *     node bench/policy-decision.ts [signet | cedar | opa <policy.wasm>]
 */
import type { Engine } from './engines/engine.ts';
import { ASKED, RULES } from './policy-rules.ts';

const DECISIONS = 400_000;
/** Slower engines make as many as take so long. */
const MOST_MS = 2_000;
/** Requests that every engine answers first, alike. */
const ALIKE = 128;
/** Of fewer decisions the last thousandth says nothing. */
const LEAST_FOR_P999 = 10_000;

const [impl = 'signet', file = ''] = process.argv.slice(2);
const engine = await load(impl);

const begun = performance.now();
let allowed = 0;
for (let i = 0; i < ALIKE; i++) if (engine.allows(i)) allowed += 1;
const decisions = Math.min(DECISIONS, Math.ceil((ALIKE * MOST_MS) / (performance.now() - begun)));

let runs = 0;
let allows = 0;
const run = (count: number) => {
  for (let i = 0; i < count; i++) if (engine.allows(i % ASKED.length)) allows += 1;
  runs += count;
};
run(decisions);
const start = process.hrtime.bigint();
run(decisions);
const mean = Number(process.hrtime.bigint() - start) / decisions;

const single = new Float64Array(decisions);
const clock = new Float64Array(decisions);
for (let i = 0; i < decisions; i++) {
  const a = process.hrtime.bigint();
  const b = process.hrtime.bigint();
  engine.allows(i % ASKED.length);
  const c = process.hrtime.bigint();
  clock[i] = Number(b - a);
  single[i] = Number(c - b);
}
single.sort();
clock.sort();
const percentile = (p: number) => Math.round(single[Math.floor(decisions * p)]! - clock[decisions >> 1]!);

process.stdout.write(
  `${JSON.stringify({
    ...{
      impl,
      documents: RULES.length,
      decisions,
      allowed_of_first: allowed,
      allowed_share: Math.round((100 * allows) / runs) / 100,
      mean_ns: Math.round(mean),
    },
    ...{ p50_ns: percentile(0.5), p99_ns: percentile(0.99) },
    p999_ns: decisions < LEAST_FOR_P999 ? null : percentile(0.999),
  })}\n`,
);

async function load(name: string): Promise<Engine> {
  switch (name) {
    case 'signet':
      return (await import('./engines/signet.ts')).signetEngine();
    case 'cedar':
      return (await import('./engines/cedar.ts')).cedarEngine();
    case 'opa':
      return (await import('./engines/opa.ts')).opaEngine(file);
    default:
      throw new Error(`no engine ${name}`);
  }
}
