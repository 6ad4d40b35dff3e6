import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the probe's resources are kept in, and what was done to them: two files, which tests read and change. */
export class Store {
  readonly #folder: string;
  constructor(folder: string) {
    this.#folder = folder;
  }

  things(): Record<string, Record<string, unknown>> {
    const file = join(this.#folder, 'things.json');
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  }

  change(edit: (things: Record<string, Record<string, unknown>>) => void): void {
    const things = this.things();
    edit(things);
    writeFileSync(join(this.#folder, 'things.json'), JSON.stringify(things));
  }

  told(): string[] {
    const file = join(this.#folder, 'events');
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  }

  tell(event: string): void {
    appendFileSync(join(this.#folder, 'events'), `${event}\n`);
  }
}
