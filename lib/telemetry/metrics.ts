import { type Attributes, attributesOf, nanoseconds } from './attributes.ts';
import type { Resource } from './service.ts';
import { SCOPE } from './spans.ts';

/** A metric and its values at one time, as the registry has them. */
export type MetricFamily = { readonly name: string; readonly help: string } & (
  | { readonly kind: 'counter' | 'gauge'; readonly samples: readonly Sample[] }
  | {
      readonly kind: 'histogram';
      readonly bounds: readonly number[];
      readonly samples: readonly Distribution[];
    }
);
type Labels = Readonly<Record<string, string>>;
export type Sample = { readonly labels: Labels; readonly value: number };
/** `counts` has one more than there are bounds: of what lies above the last. Each counts what lies above the bound before it. */
export type Distribution = {
  readonly labels: Labels;
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
};

const CUMULATIVE = 2;

/** The body of a request to `/v1/metrics`. What is counted was counted since `since`. */
export function metricsPayload(
  resource: Resource,
  families: readonly MetricFamily[],
  { since, now }: { readonly since: Date; readonly now: Date },
): object {
  const times = {
    startTimeUnixNano: nanoseconds(since.getTime()),
    timeUnixNano: nanoseconds(now.getTime()),
  };
  const metrics = families.map((family) => encoded(family, times));
  return { resourceMetrics: [{ resource, scopeMetrics: [{ scope: SCOPE, metrics }] }] };
}

function encoded(family: MetricFamily, times: object): object {
  const { name, help: description } = family;
  if (family.kind === 'histogram') {
    const dataPoints = family.samples.map(({ labels, counts, sum, count }) => ({
      attributes: attributesOf(labels as Attributes),
      ...times,
      ...{ count: String(count), sum, bucketCounts: counts.map(String), explicitBounds: family.bounds },
    }));
    return { name, description, histogram: { aggregationTemporality: CUMULATIVE, dataPoints } };
  }
  const dataPoints = family.samples.map(({ labels, value }) => ({
    attributes: attributesOf(labels as Attributes),
    ...times,
    asDouble: value,
  }));
  return family.kind === 'gauge'
    ? { name, description, gauge: { dataPoints } }
    : { name, description, sum: { aggregationTemporality: CUMULATIVE, isMonotonic: true, dataPoints } };
}
