/**
 * Hours of the day, days of the week, or both, as the clocks of `zone` show them. `from` and `to` are minutes after midnight; `from` belongs
 * to it, `to` does not. Where `from` is not before `to` it goes over midnight, and its day is the one on which it began.
 */
export type TimeWindow = {
  readonly zone: string;
  readonly from: number;
  readonly to: number;
  /** 0 is Sunday. */
  readonly days: readonly number[];
};

export const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;

const DAY_MINUTES = 24 * 60;
const DAY_MS = DAY_MINUTES * 60_000;
/** Clocks are set forward and back at quarters of an hour of UTC, so one of them has one offset. */
const QUARTER_MS = 15 * 60_000;

export function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

/** Whether an instant lies in the window. Remembers the offset of the quarter of an hour it was last asked about. */
export function windowTest({ zone, from, to, days }: TimeWindow): (now: Date) => boolean {
  const offset = offsets(zone);
  const onDay = DAYS.map((_, day) => days.includes(day));
  return (now) => {
    const local = now.getTime() + offset(now);
    const day = Math.floor(local / DAY_MS);
    const minute = Math.floor((local - day * DAY_MS) / 60_000);
    // 1970-01-01 was a Thursday.
    const weekday = (((day + 4) % 7) + 7) % 7;
    if (from < to) return minute >= from && minute < to && onDay[weekday]!;
    return (minute >= from && onDay[weekday]!) || (minute < to && onDay[(weekday + 6) % 7]!);
  };
}

/** How far the clocks of a zone are ahead of UTC, in milliseconds. */
function offsets(zone: string): (now: Date) => number {
  if (zone === 'UTC') return () => 0;
  const format = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone: zone, hourCycle: 'h23', era: 'short' },
    ...{ year: 'numeric', month: 'numeric', day: 'numeric' },
    ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
  });
  let quarter = Number.NaN;
  let offset = 0;
  return (now) => {
    const asked = Math.floor(now.getTime() / QUARTER_MS);
    if (asked !== quarter) {
      const start = asked * QUARTER_MS;
      const parts = new Map(format.formatToParts(start).map(({ type, value }) => [type, value]));
      const part = (name: Intl.DateTimeFormatPartTypes) => Number(parts.get(name));
      const shown = Date.UTC(
        ...([
          part('year'),
          part('month') - 1,
          part('day'),
          part('hour'),
          part('minute'),
          part('second'),
        ] as const),
      );
      offset = shown - start;
      quarter = asked;
    }
    return offset;
  };
}
