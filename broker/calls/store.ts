import type { Told } from '../../lib/calls/index.ts';

/** A message, so that one that comes twice is known. */
export type Report = Told & { readonly reporter: string; readonly seq: number };

/** What sidecars told of their calls lately. */
export interface CallStore {
  /** A report that is there already is left as it is. `bytes`: about what it takes. */
  add(report: Report, bytes: number, now: Date): void;
  /** What ended in the last `minutes`. */
  since(minutes: number, now: Date): Iterable<Told>;
  /** Reports that were let go of before their hour was over. */
  readonly dropped: number;
}

export const KEPT_MINUTES = 60;
const MINUTE_MS = 60_000;

export type StoreBounds = { readonly bytes: number; readonly bytesOfService: number };

const BOUNDS: StoreBounds = { bytes: 64 * 1024 * 1024, bytesOfService: 8 * 1024 * 1024 };

/**
 * In memory: another broker has its own. Past its bounds the oldest go first: those of the same service when it told too much, so
 * that one cannot push out what others told.
 */
export function createCallStore(bounds: StoreBounds = BOUNDS): CallStore {
  const services = new Map<string, Shelf>();
  let [bytes, dropped] = [0, 0];

  const dropOldest = (service: string) => {
    const shelf = services.get(service);
    const [key, first] = shelf?.reports.entries().next().value ?? [];
    if (shelf === undefined || key === undefined || first === undefined) return;
    shelf.reports.delete(key);
    shelf.bytes -= first.bytes;
    bytes -= first.bytes;
    if (shelf.reports.size === 0) services.delete(service);
  };
  const forget = (now: Date) => {
    const oldest = minuteOf(now) - KEPT_MINUTES;
    for (const [service, { reports }] of services)
      for (const { report } of reports.values()) {
        // in the order in which they came
        if (report.minute > oldest) break;
        dropOldest(service);
      }
  };
  const largest = () => {
    let found = '';
    let most = -1;
    for (const [service, shelf] of services) if (shelf.bytes > most) [found, most] = [service, shelf.bytes];
    return found;
  };

  return {
    add(report, size, now) {
      forget(now);
      const { service, reporter, seq } = report;
      let shelf = services.get(service);
      if (shelf === undefined) services.set(service, (shelf = { bytes: 0, reports: new Map() }));
      const key = `${reporter} ${seq}`;
      if (shelf.reports.has(key)) return;
      shelf.reports.set(key, { report, bytes: size });
      shelf.bytes += size;
      bytes += size;
      for (; shelf.bytes > bounds.bytesOfService; dropped++) dropOldest(service);
      for (; bytes > bounds.bytes; dropped++) dropOldest(largest());
    },
    *since(minutes, now) {
      const oldest = minuteOf(now) - minutes;
      for (const { reports } of services.values())
        for (const { report } of reports.values()) if (report.minute > oldest) yield report;
    },
    get dropped() {
      return dropped;
    },
  };
}

type Shelf = { bytes: number; readonly reports: Map<string, { report: Report; bytes: number }> };

export function minuteOf(now: Date): number {
  return Math.floor(now.getTime() / MINUTE_MS);
}
