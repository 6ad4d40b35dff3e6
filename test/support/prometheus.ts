/** One metric of a Prometheus text, read strictly. */
export type Family = {
  readonly name: string;
  readonly help: string;
  readonly kind: string;
  readonly samples: readonly Sample[];
};
export type Sample = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
};

const HELP = /^# HELP ([a-z][a-z0-9_]*) (\S.*)$/;
const TYPE = /^# TYPE ([a-z][a-z0-9_]*) (counter|gauge|histogram)$/;
const SAMPLE = /^([a-z][a-z0-9_]*)(?:\{(.+)\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;
const LABEL = /^([a-z][a-z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/;

/**
 * Reads the text exposition format 0.0.4 as we mean to write it, and holds it to Prometheus's conventions: each metric once, with help and
 * type, counters and only they end in `_total`, histograms whose buckets rise to their count.
 * @throws with the line at fault
 */
export function readPrometheus(text: string): Family[] {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const families = new Map<string, Family & { readonly samples: Sample[] }>();
  let family: (Family & { readonly samples: Sample[] }) | null = null;
  const lines = text.slice(0, -1).split('\n');
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    const fault = (why: string) => new Error(`${why}: line ${i + 1}: ${line}`);
    const [, name, help] = HELP.exec(line) ?? [];
    if (name !== undefined) {
      const [, typed, kind] = TYPE.exec(lines[++i] ?? '') ?? [];
      if (typed !== name) throw fault('no type after help');
      if (families.has(name)) throw fault('a metric twice');
      if ((kind === 'counter') !== name.endsWith('_total')) throw fault('a name against the convention');
      family = { name, help: help!, kind: kind!, samples: [] };
      families.set(name, family);
      continue;
    }
    const [, sample, labels = '', value] = SAMPLE.exec(line) ?? [];
    if (sample === undefined || family === null) throw fault('no sample');
    if (!belongs(sample, family)) throw fault('a sample of another metric');
    family.samples.push({ name: sample, labels: readLabels(labels, fault), value: Number(value) });
  }
  for (const each of families.values()) check(each);
  return [...families.values()];
}

function belongs(sample: string, { name, kind }: Family): boolean {
  return kind === 'histogram'
    ? ['_bucket', '_sum', '_count'].some((end) => sample === name + end)
    : sample === name;
}

function readLabels(text: string, fault: (why: string) => Error): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== ''; ) {
    const [whole, name, value] = LABEL.exec(rest) ?? [];
    if (whole === undefined || name! in labels) throw fault('labels');
    labels[name!] = value!.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
    rest = rest.slice(whole.length);
    if (rest === '' && whole.endsWith(',')) throw fault('labels');
  }
  return labels;
}

function check({ name, kind, samples }: Family): void {
  if (samples.length === 0) throw new Error(`${name} has no sample`);
  const seen = new Set<string>();
  for (const { name: sample, labels, value } of samples) {
    const key = JSON.stringify([sample, Object.entries(labels).sort()]);
    if (seen.has(key)) throw new Error(`${name} has a sample twice: ${key}`);
    seen.add(key);
    if (kind === 'counter' && value < 0) throw new Error(`${name} counts below zero`);
  }
  if (kind === 'histogram') for (const group of grouped(samples)) checkBuckets(name, group);
}

/** Those of one histogram by its labels, without `le`. */
function grouped(samples: readonly Sample[]): Sample[][] {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const { le: _, ...others } = sample.labels;
    const key = JSON.stringify(Object.entries(others).sort());
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  return [...groups.values()];
}

function checkBuckets(name: string, group: readonly Sample[]): void {
  const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
  const of = (end: string) => group.find((sample) => sample.name === name + end)?.value;
  const bounds = buckets.map(({ labels }) => Number(labels['le']?.replace('+Inf', 'Infinity')));
  const rising = (values: readonly number[], strictly: boolean) =>
    values.every((value, i) => i === 0 || (strictly ? value > values[i - 1]! : value >= values[i - 1]!));
  if (!rising(bounds, true) || bounds.at(-1) !== Number.POSITIVE_INFINITY) throw new Error(`${name}: bounds`);
  if (
    !rising(
      buckets.map(({ value }) => value),
      false,
    )
  )
    throw new Error(`${name}: buckets`);
  if (of('_sum') === undefined || of('_count') !== buckets.at(-1)?.value) throw new Error(`${name}: count`);
}
