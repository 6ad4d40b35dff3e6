import type { CompiledPolicy } from '../compile.ts';
import type { Decision } from '../decision.ts';
import type { PolicyDocument } from '../document.ts';

export type UncoveredRule = { readonly target: string; readonly rule: string };

type Known = UncoveredRule & { covered: boolean };

/** Which rules decided a case at least once, or in dry-run hit one. A rule that two suites read is one. */
export class Coverage {
  readonly #rules = new Map<string, Known>();
  /** Rules by name, of each policy that decided. */
  readonly #named = new WeakMap<CompiledPolicy, ReadonlyMap<string, Known>>();

  /** Rules that are to be covered. */
  expect(documents: readonly PolicyDocument[]): void {
    for (const document of documents) this.#known(document);
  }

  note(policy: CompiledPolicy, { rule, dryRun }: Decision): void {
    if (rule !== null) this.#cover(policy, rule);
    for (const hit of dryRun) this.#cover(policy, hit.rule);
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

  #cover(policy: CompiledPolicy, rule: string): void {
    let named = this.#named.get(policy);
    if (named === undefined) {
      named = new Map(policy.documents.map((document) => [document.name, this.#known(document)]));
      this.#named.set(policy, named);
    }
    const known = named.get(rule);
    if (known !== undefined) known.covered = true;
  }

  #known(document: PolicyDocument): Known {
    const key = JSON.stringify(document);
    const known = this.#rules.get(key);
    if (known !== undefined) return known;
    const added = { target: document.target.toString(), rule: document.name, covered: false };
    this.#rules.set(key, added);
    return added;
  }
}
