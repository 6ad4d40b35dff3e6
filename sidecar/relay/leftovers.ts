/** So much may lie about. */
const MOST_BYTES = 16 * 1024 * 1024;

/**
 * Counts the bytes of pieces that were passed on and are of no use any more. Their memory is freed when the young generation is collected,
 * in which a piece takes almost no room: by itself that would come about only after some 64 MB of them.
 */
export class Leftovers {
  private bytes = 0;

  add(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes < MOST_BYTES) return;
    this.bytes = 0;
    // there only if Node was started with a flag for it, as the launcher does; well under a millisecond
    globalThis.gc?.({ type: 'minor' });
  }
}
