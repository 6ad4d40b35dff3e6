import type { Metrics } from '../../lib/adapter/metrics.ts';

/** Counts of one outcome, for whoever holds it: a labelled counter costs more than a look into the memory. */
export type Cell = { n: number };

const EVERY_MS = 1_000;

/** How requests came out, by issuer and code; handed to the registry every second. */
export class Tally implements Disposable {
  private readonly cells = new Map<
    string,
    { readonly labels: Readonly<Record<string, string>>; readonly cell: Cell }
  >();
  private readonly counter: ReturnType<Metrics['counter']>;
  private readonly timer: NodeJS.Timeout;

  constructor(metrics: Metrics) {
    this.counter = metrics.counter(
      'signet_users_total',
      'Requests, by the issuer of their end user (empty: none that is known) and by outcome',
    );
    this.timer = setInterval(() => this.flush(), EVERY_MS);
    this.timer.unref();
  }

  cell(issuer: string, code: string): Cell {
    const key = `${issuer} ${code}`;
    const known = this.cells.get(key);
    if (known !== undefined) return known.cell;
    const cell = { n: 0 };
    this.cells.set(key, { labels: { issuer, code }, cell });
    return cell;
  }

  flush(): void {
    for (const { labels, cell } of this.cells.values()) {
      if (cell.n > 0) this.counter.add(cell.n, labels);
      cell.n = 0;
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.timer);
    this.flush();
  }
}
