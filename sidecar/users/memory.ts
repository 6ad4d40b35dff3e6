/** What was found out by tokens, each known by the hash of all of it. The one that was not asked for longest goes first. */
export class Memory<T> {
  private readonly entries = new Map<string, { readonly value: T; readonly weight: number }>();
  private readonly most: number;
  private readonly mostWeight: number;
  private weight = 0;

  constructor(most: number, mostWeight: number) {
    this.most = most;
    this.mostWeight = mostWeight;
  }

  get(key: string): T | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    this.entries.delete(key);
    this.entries.set(key, entry);
    return entry.value;
  }

  set(key: string, value: T, weight: number): void {
    this.delete(key);
    this.entries.set(key, { value, weight });
    this.weight += weight;
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= this.most && this.weight <= this.mostWeight) return;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    this.weight -= this.entries.get(key)?.weight ?? 0;
    this.entries.delete(key);
  }
}
