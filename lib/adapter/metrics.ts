import type { MetricFamily } from '../telemetry/index.ts';

type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(by?: number, labels?: Labels): void;
  value(labels?: Labels): number;
}
export interface Gauge {
  set(value: number, labels?: Labels): void;
}
export interface Histogram {
  observe(value: number, labels?: Labels): void;
}
export interface Metrics {
  counter(name: string, help: string): Counter;
  gauge(name: string, help: string): Gauge;
  /** `buckets` are upper bounds in the unit the name ends with, rising. */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram;
  /** What there is at present, in the order of registration. */
  families(): MetricFamily[];
  /** The Prometheus text exposition format, version 0.0.4. */
  render(): string;
}

/** A registry of its own for each process: nothing is global, and a name registered twice is a fault of the program. */
export function createMetrics(): Metrics {
  const registered = new Map<string, () => MetricFamily>();
  const register = (name: string, family: () => MetricFamily) => {
    if (registered.has(name)) throw new Error(`metric registered twice: ${name}`);
    registered.set(name, family);
  };
  const families = () => [...registered.values()].map((family) => family());
  return {
    counter(name, help) {
      const values = new Labelled(() => ({ value: 0 }));
      // without labels, it is counted with every request
      const plain = { labels: {}, value: 0 };
      register(name, () => ({ name, help, kind: 'counter', samples: values.or(plain) }));
      return {
        add(by = 1, labels) {
          if (labels !== undefined && labelText(labels) !== '') values.of(labels).value += by;
          else {
            if (plain.value === 0) values.adopt(plain);
            plain.value += by;
          }
        },
        value: (labels = {}) => values.find(labels)?.value ?? 0,
      };
    },
    gauge(name, help) {
      const values = new Labelled(() => ({ value: 0 }));
      register(name, () => ({ name, help, kind: 'gauge', samples: values.or({ labels: {}, value: 0 }) }));
      return {
        set(value, labels = {}) {
          values.of(labels).value = value;
        },
      };
    },
    histogram(name, help, bounds) {
      const none = () => ({ counts: new Array<number>(bounds.length + 1).fill(0), sum: 0, count: 0 });
      const values = new Labelled(none);
      register(name, () => {
        return { name, help, kind: 'histogram', bounds, samples: values.or({ labels: {}, ...none() }) };
      });
      return {
        observe(value, labels = {}) {
          const to = values.of(labels);
          to.sum += value;
          to.count++;
          let at = 0;
          while (at < bounds.length && value > bounds[at]!) at++;
          to.counts[at]!++;
        },
      };
    },
    families,
    render: () => families().map(rendered).join(''),
  };
}

/** What is kept for each set of labels, in the order in which they came. */
class Labelled<T extends object> {
  private readonly values = new Map<string, T & { readonly labels: Labels }>();
  private readonly none: () => T;

  constructor(none: () => T) {
    this.none = none;
  }

  find(labels: Labels): T | undefined {
    return this.values.get(labelText(labels));
  }

  of(labels: Labels): T {
    const key = labelText(labels);
    let value = this.values.get(key);
    if (value === undefined) {
      value = { labels: { ...labels }, ...this.none() };
      this.values.set(key, value);
    }
    return value;
  }

  /** Keeps what has no labels. */
  adopt(plain: T & { readonly labels: Labels }): void {
    if (!this.values.has('')) this.values.set('', plain);
  }

  /** All, or `first` where there is none yet. */
  or(first: T & { readonly labels: Labels }): (T & { readonly labels: Labels })[] {
    return this.values.size > 0 ? [...this.values.values()] : [first];
  }
}

function rendered(family: MetricFamily): string {
  const { name, help, kind } = family;
  const lines =
    family.kind === 'histogram'
      ? family.samples.flatMap(({ labels, counts, sum, count }) => {
          let below = 0;
          const bucket = (le: number | string, n: number) =>
            `${name}_bucket${labelText(labels, `le="${le}"`)} ${n}`;
          return [
            ...family.bounds.map((bound, i) => bucket(bound, (below += counts[i]!))),
            bucket('+Inf', count),
            `${name}_sum${labelText(labels)} ${sum}`,
            `${name}_count${labelText(labels)} ${count}`,
          ];
        })
      : family.samples.map(({ labels, value }) => `${name}${labelText(labels)} ${value}`);
  const told = help.replace(/[\\\n]/g, escaped);
  return `# HELP ${name} ${told}\n# TYPE ${name} ${kind}\n${lines.join('\n')}\n`;
}

/** The same labels give the same text, in whatever order they come; `last` stands behind them. */
function labelText(labels: Labels, ...last: readonly string[]): string {
  const pairs = Object.entries(labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, escaped)}"`);
  pairs.push(...last);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(c: string): string {
  return c === '\n' ? '\\n' : `\\${c}`;
}
