/**
 * What one policy decision costs: 1,000 documents for one service, most of which do not concern the request. Prints percentiles of
 * single decisions, the clock's own cost taken off, and the mean over a run without a clock in it.
 *
 *     node bench/policy-decision.ts
 */
import { compilePolicies, evaluate, type PolicyRequest, parsePolicies } from '../lib/policy/index.ts';
import { parseSpiffeId } from '../lib/spiffe/index.ts';

const TARGET = 'spiffe://example.org/ns/shop/sa/orders';
const DOCUMENTS = 1_000;
const DECISIONS = 400_000;
const caller = (i: number) => `spiffe://example.org/ns/shop/sa/caller-${i}`;

/** Five rules a resource: read, write, list, a deny, a dry-run deny. */
function documents(): object[] {
  return Array.from({ length: DOCUMENTS }, (_, i) => {
    const resource = `/api/v1/resource-${Math.floor(i / 5)}`;
    const allow = { level: 'application', effect: 'allow', mode: 'enforce' };
    const deny = { level: 'business-unit', effect: 'deny', mode: i % 5 === 4 ? 'dry-run' : 'enforce' };
    const callers = { caller: { in: [caller(i), caller(i + 1), caller(1)] } };
    const rules = [
      {
        ...allow,
        when: { all: [callers, { method: { in: ['GET', 'HEAD'] } }, { path: { like: `${resource}/{id}` } }] },
      },
      {
        ...allow,
        when: {
          all: [callers, { method: { in: ['PUT', 'PATCH'] } }, { path: { like: `${resource}/{id}` } }],
        },
      },
      { ...allow, when: { all: [callers, { method: { is: 'GET' } }, { path: { is: resource } }] } },
      { ...deny, when: { all: [{ method: { is: 'DELETE' } }, { path: { starts: resource } }] } },
      {
        ...deny,
        when: {
          all: [{ path: { starts: resource } }, { caller: { like: 'spiffe://example.org/ns/test/**' } }],
        },
      },
    ];
    return { name: `rule-${i}`, target: TARGET, ...rules[i % 5] };
  });
}

const policy = compilePolicies(
  parsePolicies([{ file: 'bench', text: JSON.stringify(documents()) }]),
  parseSpiffeId(TARGET),
);
const requests: PolicyRequest[] = Array.from({ length: 1024 }, (_, i) => ({
  caller: parseSpiffeId(caller(i % 3 === 0 ? i : 1)),
  method: ['GET', 'PUT', 'DELETE', 'POST'][i % 4]!,
  path: `/api/v1/resource-${(i * 7) % 260}${i % 2 === 0 ? `/${i}` : ''}`,
}));

let allowed = 0;
const run = (count: number) => {
  for (let i = 0; i < count; i++) if (evaluate(policy, requests[i & 1023]!).effect === 'allow') allowed += 1;
};
run(DECISIONS);

const start = process.hrtime.bigint();
run(DECISIONS);
const mean = Number(process.hrtime.bigint() - start) / DECISIONS;

const single = new Float64Array(DECISIONS);
const clock = new Float64Array(DECISIONS);
for (let i = 0; i < DECISIONS; i++) {
  const a = process.hrtime.bigint();
  const b = process.hrtime.bigint();
  evaluate(policy, requests[i & 1023]!);
  const c = process.hrtime.bigint();
  clock[i] = Number(b - a);
  single[i] = Number(c - b);
}
single.sort();
clock.sort();
const percentile = (p: number) => Math.round(single[Math.floor(DECISIONS * p)]! - clock[DECISIONS >> 1]!);

process.stdout.write(
  `${JSON.stringify({ documents: policy.size, allowed_share: Math.round((allowed / DECISIONS / 2) * 100) / 100, mean_ns: Math.round(mean), p50_ns: percentile(0.5), p99_ns: percentile(0.99), p999_ns: percentile(0.999) })}\n`,
);
