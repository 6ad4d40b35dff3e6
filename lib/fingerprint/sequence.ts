/** Numbers that were passed over and may still come; a connection carries a hundred streams at most. */
const MOST_MISSING = 1_024;

/**
 * Remembers which numbers of a rising count have come, each of which may come once. In order it remembers the last alone; out of order,
 * those that were passed over. When these become too many the oldest are given up: they are refused if they come, and nothing that came
 * is ever taken again.
 */
export class Sequence {
  private next = 0;
  private missing: Set<number> | null = null;

  /** @returns whether it is the first time */
  take(n: number): boolean {
    if (n < this.next) return this.missing?.delete(n) ?? false;
    if (n > this.next) this.passOver(Math.max(this.next, n - MOST_MISSING), n);
    this.next = n + 1;
    return true;
  }

  private passOver(from: number, to: number): void {
    this.missing ??= new Set();
    for (let n = from; n < to; n++) this.missing.add(n);
    for (const oldest of this.missing) {
      if (this.missing.size <= MOST_MISSING) break;
      this.missing.delete(oldest);
    }
  }
}
