type Labels = Readonly<Record<string, string>>;
type Kind = 'counter' | 'gauge' | 'histogram';

export interface Counter {
  add(by?: number, labels?: Labels): void;
  value(labels?: Labels): number;
}
export interface Gauge {
  set(value: number, labels?: Labels): void;
}
export interface Histogram {
  observe(value: number): void;
}
export interface Metrics {
  counter(name: string, help: string): Counter;
  gauge(name: string, help: string): Gauge;
  /** `buckets` are upper bounds in the unit the name ends with, rising. */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram;
  /** The Prometheus text exposition format, version 0.0.4. */
  render(): string;
}

type Family = { readonly name: string; readonly help: string; readonly kind: Kind; lines(): string[] };

/** A registry of its own for each process: nothing is global, and a name registered twice is a fault of the program. */
export function createMetrics(): Metrics {
  const families = new Map<string, Family>();
  const register = (family: Family) => {
    if (families.has(family.name)) throw new Error(`metric registered twice: ${family.name}`);
    families.set(family.name, family);
  };
  const scalar = (name: string, help: string, kind: Kind, update: () => void = () => {}) => {
    const values = new Map<string, number>();
    const lines = () => {
      update();
      return (values.size > 0 ? [...values] : [['', 0]]).map(
        ([labels, value]) => `${name}${labels} ${value}`,
      );
    };
    register({ name, help, kind, lines });
    return values;
  };
  return {
    counter(name, help) {
      // without labels, it is counted with every request
      let plain = 0;
      const values = scalar(name, help, 'counter', () => values.has('') && values.set('', plain));
      return {
        add(by = 1, labels) {
          const key = labels === undefined ? '' : labelText(labels);
          if (key !== '') values.set(key, (values.get(key) ?? 0) + by);
          else {
            if (plain === 0) values.set('', 0);
            plain += by;
          }
        },
        value(labels) {
          const key = labelText(labels);
          return key === '' ? plain : (values.get(key) ?? 0);
        },
      };
    },
    gauge(name, help) {
      const values = scalar(name, help, 'gauge');
      return { set: (value, labels) => void values.set(labelText(labels), value) };
    },
    histogram(name, help, buckets) {
      const counts = new Array<number>(buckets.length).fill(0);
      let [sum, count] = [0, 0];
      const lines = () => [
        ...buckets.map((bound, i) => `${name}_bucket{le="${bound}"} ${counts[i]}`),
        `${name}_bucket{le="+Inf"} ${count}`,
        `${name}_sum ${sum}`,
        `${name}_count ${count}`,
      ];
      register({ name, help, kind: 'histogram', lines });
      return {
        observe(value) {
          sum += value;
          count++;
          for (let i = buckets.length - 1; i >= 0 && value <= buckets[i]!; i--) counts[i]!++;
        },
      };
    },
    render() {
      return [...families.values()]
        .map((f) => `# HELP ${f.name} ${f.help}\n# TYPE ${f.name} ${f.kind}\n${f.lines().join('\n')}\n`)
        .join('');
    },
  };
}

/** The same labels give the same text, in whatever order they come. */
function labelText(labels: Labels = {}): string {
  const pairs = Object.entries(labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, escaped)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(c: string): string {
  return c === '\n' ? '\\n' : `\\${c}`;
}
