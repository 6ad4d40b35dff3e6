/** Half of what was usual has been replaced after so many minutes: a day. */
const HALF_LIFE_MINUTES = 1_440;
const SHARE = 1 - 2 ** (-1 / HALF_LIFE_MINUTES);
/** Until then each minute counts as much as any other. */
const STEADY = Math.ceil(1 / SHARE);

/**
 * What is usual by the minute, over about a day. One minute changes it by a 2,000th, and never counts as more than twice what was usual, so
 * whoever wants something else to be usual has to do it for days.
 */
export class Usual {
  value = 0;
  minutes = 0;

  /** `most`: what one minute may count as once something is usual. */
  add(found: number, most: number, learned: boolean): void {
    const counted = learned ? Math.min(found, most) : found;
    this.value += (counted - this.value) * Math.max(SHARE, 1 / (this.minutes + 1));
    this.minutes++;
  }

  /** So many minutes in which there was nothing. */
  rest(minutes: number): void {
    if (minutes <= 0) return;
    const early = Math.min(minutes, Math.max(0, STEADY - this.minutes));
    if (this.minutes > 0) this.value *= this.minutes / (this.minutes + early);
    this.value *= (1 - SHARE) ** (minutes - early);
    this.minutes += minutes;
  }
}

/** What came in this minute and in the one before. */
export class Window {
  now = 0;
  before = 0;

  /** `minutes` have begun since. */
  move(minutes: number): void {
    this.before = minutes === 1 ? this.now : 0;
    this.now = 0;
  }

  /** In the last 60 s, `into` of the present minute being over (0 to 1). */
  lastMinute(into: number): number {
    return this.now + this.before * (1 - into);
  }
}
