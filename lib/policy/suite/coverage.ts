import type { SpiffeId } from '../../spiffe/index.ts';
import type { Decision } from '../decision.ts';
import type { PolicyDocument } from '../document.ts';

export type UncoveredRule = { readonly target: string; readonly rule: string };

/** Which rules decided a case at least once, or in dry-run hit one. */
export class Coverage {
  readonly #rules = new Map<string, { readonly target: string; readonly rule: string; covered: boolean }>();

  /** Rules that are to be covered. */
  expect(documents: readonly PolicyDocument[]): void {
    for (const { name, target } of documents) {
      const key = keyOf(target, name);
      if (!this.#rules.has(key))
        this.#rules.set(key, { target: target.toString(), rule: name, covered: false });
    }
  }

  note(target: SpiffeId, { rule, dryRun }: Decision): void {
    if (rule !== null) this.#cover(keyOf(target, rule));
    for (const hit of dryRun) this.#cover(keyOf(target, hit.rule));
  }

  get rules(): number {
    return this.#rules.size;
  }

  get uncovered(): UncoveredRule[] {
    return [...this.#rules.values()]
      .filter(({ covered }) => !covered)
      .map(({ target, rule }) => ({ target, rule }));
  }

  /** Rounded down: 100 is all of them. */
  get percent(): number {
    return this.rules === 0 ? 100 : Math.floor((100 * (this.rules - this.uncovered.length)) / this.rules);
  }

  #cover(key: string): void {
    const known = this.#rules.get(key);
    if (known !== undefined) known.covered = true;
  }
}

function keyOf(target: SpiffeId, rule: string): string {
  return `${target} ${rule}`;
}
