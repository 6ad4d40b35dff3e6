import type { Line } from './read-back.ts';

/** What happens to a record for which there is no room: the oldest gives way (a file has it), it is dropped, or none should come. */
export type WhenFull = 'read-back' | 'drop' | 'refuse';

/** `from`: the first number that this line accounts for; less than its own for one that says which records were dropped. */
type Held = Line & { readonly from: number };

/** Lines that wait for the broker, in order, in bounded memory. */
export class Backlog {
  /** The number of the record that comes next. */
  next: number;
  /** The first record of those that are being dropped; null while none is. */
  gapFrom: number | null = null;
  /** Only the last records come now, and they are kept. */
  ending = false;
  private readonly most: number;
  private readonly whenFull: WhenFull;
  private lines: Held[] = [];
  private bytes = 0;
  private closedGapFrom: number | null = null;

  constructor(most: number, whenFull: WhenFull, next: number) {
    this.most = most;
    this.whenFull = whenFull;
    this.next = next;
  }

  get accepting(): boolean {
    return this.whenFull !== 'refuse' || this.bytes < this.most;
  }

  /** Whether a gap can be closed and much can follow it. */
  get hasRoom(): boolean {
    return this.ending || this.bytes <= this.most / 2;
  }

  /** The first number that the lines here account for; null where there is none. */
  get first(): number | null {
    return this.lines[0]?.from ?? null;
  }

  /** @returns whether it is kept */
  push(line: string, seq: number): boolean {
    this.next = seq + 1;
    if (this.gapFrom === null) this.makeRoom(line.length, seq);
    if (this.gapFrom !== null) return false;
    this.lines.push({ line: line.slice(0, -1), seq, from: this.closedGapFrom ?? seq });
    this.closedGapFrom = null;
    this.bytes += line.length;
    return true;
  }

  /** The next line says what was dropped. */
  closeGap(): void {
    this.closedGapFrom = this.gapFrom;
    this.gapFrom = null;
  }

  /** Nothing from `from` on can be had any more: all of it is dropped. @returns how many records that is, without those that were already */
  lose(from: number): number {
    const lost = (this.gapFrom ?? this.next) - from;
    this.lines = [];
    this.bytes = 0;
    this.gapFrom = from;
    this.closedGapFrom = null;
    return lost;
  }

  /** Those before `next` are taken. */
  taken(next: number): void {
    const left = this.lines.findIndex(({ seq }) => seq >= next);
    this.forget(left === -1 ? this.lines.length : left);
  }

  /** The first lines, as many as come to `most` characters, one at least. */
  batch(most: number): Line[] {
    let size = 0;
    const end = this.lines.findIndex(({ line }) => {
      size += line.length;
      return size > most;
    });
    return this.lines.slice(0, end === -1 ? this.lines.length : Math.max(end, 1));
  }

  private makeRoom(size: number, seq: number): void {
    if (this.ending || this.bytes + size <= this.most) return;
    if (this.whenFull === 'read-back') {
      let [count, freed] = [0, 0];
      while (count < this.lines.length && this.bytes - freed + size > this.most * (3 / 4))
        freed += (this.lines[count++]?.line.length ?? 0) + 1;
      this.forget(count);
      // what still does not fit is that of one line
    } else if (this.whenFull === 'drop' || this.bytes + size > 2 * this.most) this.gapFrom = seq;
  }

  private forget(count: number): void {
    if (count === 0) return;
    for (const { line } of this.lines.splice(0, count)) this.bytes -= line.length + 1;
  }
}
