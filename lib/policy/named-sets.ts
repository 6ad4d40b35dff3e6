import { oneOf, type Place } from './defect.ts';

/** The sets and relations that a policy set declares, each with everything that it includes. */
export type NamedSets = {
  readonly sets: ReadonlyMap<string, readonly string[]>;
  readonly relations: ReadonlyMap<string, Relation>;
};

/** Who is related to what: `{"alice": ["team-a", "team-b"]}`. */
export type Relation = Readonly<Record<string, readonly string[]>>;

/** Members as they were written, and where. */
export type Declared = { readonly members: readonly string[]; readonly place: Place };

const NAME = /^[a-z][a-z0-9_-]{0,63}$/;
const MAX_NAMES = 1024;
const MAX_MEMBERS = 10_000;
const MAX_TEXT = 2048;
/** Members of a set that begin so are sets that it includes. */
const INCLUDED = '$';

/** Collects what the files of a policy set declare; all of them can be used in all of the files. */
export class Declarations {
  readonly #sets = new Map<string, Declared>();
  readonly #relations = new Map<string, Map<string, Declared>>();
  readonly #writtenSets = new Map<string, string>();
  readonly #writtenRelations = new Map<string, string>();

  addSets(value: unknown, place: Place): void {
    for (const [name, members] of named(value, place, 'an object of sets: a name and an array of members')) {
      const at = place.at(name);
      if (!this.#isNew(name, members, at, this.#writtenSets)) continue;
      const declared = texts(members, at);
      if (declared !== null) this.#sets.set(name, { members: declared, place: at });
    }
  }

  addRelations(value: unknown, place: Place): void {
    const expected = 'an object of relations: a name and an object of arrays';
    for (const [name, pairs] of named(value, place, expected)) {
      const at = place.at(name);
      if (!this.#isNew(name, pairs, at, this.#writtenRelations)) continue;
      const relation = new Map<string, Declared>();
      for (const [from, to] of named(pairs, at, 'an object: who is related, and an array of what to')) {
        const members = texts(to, at.at(from));
        if (members !== null) relation.set(from, { members, place: at.at(from) });
      }
      this.#relations.set(name, relation);
    }
  }

  /** Everything included in everything. What cannot be resolved is a defect, and left out. */
  resolve(): NamedSets {
    const relations = new Map<string, Relation>();
    for (const declared of this.#all()) this.#check(declared);
    const sets = new Map<string, readonly string[]>();
    for (const [name, { place }] of this.#sets) sets.set(name, this.#membersOf(name, place));
    for (const [name, pairs] of this.#relations) {
      const resolved = [...pairs].map(([from, declared]) => [from, this.#expand(declared)] as const);
      // defineProperty and not assignment: `__proto__` is a text like others
      relations.set(name, Object.fromEntries(resolved.sort(([a], [b]) => (a < b ? -1 : 1))));
    }
    return { sets, relations };
  }

  *#all(): Iterable<Declared> {
    yield* this.#sets.values();
    for (const pairs of this.#relations.values()) yield* pairs.values();
  }

  #check({ members, place }: Declared): void {
    for (const [i, member] of members.entries()) {
      if (member.startsWith(INCLUDED) && !this.#sets.has(member.slice(INCLUDED.length)))
        place.at(i).refuse(member, setNames(this.#sets));
    }
  }

  #membersOf(name: string, place: Place): readonly string[] {
    const declared = this.#sets.get(name);
    return declared === undefined ? [] : bounded(this.#expand(declared, [name]), place);
  }

  /** Sets that include each other have the same members. */
  #expand({ members }: Declared, from: readonly string[] = []): string[] {
    const all = new Set<string>();
    const seen = new Set<string>(from);
    const waiting = [...members];
    for (let member = waiting.pop(); member !== undefined; member = waiting.pop()) {
      const included = member.startsWith(INCLUDED) ? member.slice(INCLUDED.length) : null;
      if (included === null) all.add(member);
      else if (!seen.has(included)) {
        seen.add(included);
        waiting.push(...(this.#sets.get(included)?.members ?? []));
      }
    }
    return [...all].sort();
  }

  /** `written`: what each name was given first. To say the same again is no mistake: documents that go separate ways do. */
  #isNew(name: string, value: unknown, place: Place, written: Map<string, string>): boolean {
    if (!NAME.test(name)) {
      place.refuse(name, 'a name of 1 to 64 of a-z 0-9 _ -, a letter first');
      return false;
    }
    const text = JSON.stringify(value);
    const known = written.get(name);
    if (known === undefined && written.size < MAX_NAMES) {
      written.set(name, text);
      return true;
    }
    if (known === undefined) place.refuseAs(`${written.size + 1} names`, `at most ${MAX_NAMES}`);
    else if (known !== text)
      place.refuseAs('a name that is taken', 'each name once, or with the same members');
    return false;
  }
}

/** The members of the set that `$name` means; null when it recorded a defect. */
export function membersOf(text: string, place: Place, names: NamedSets): readonly string[] | null {
  const known = names.sets.get(text.slice(INCLUDED.length));
  return text.startsWith(INCLUDED) && known !== undefined ? known : place.refuse(text, setNames(names.sets));
}

function setNames(sets: ReadonlyMap<string, unknown>): string {
  if (sets.size === 0) return 'a set such as "$auditors" that "sets" declares; none is declared';
  const names = [...sets.keys()].map((name) => `${INCLUDED}${name}`);
  return names.length > 20 ? 'a set that "sets" declares' : oneOf(names);
}

function named(value: unknown, place: Place, expected: string): [string, unknown][] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.entries(value);
  place.refuse(value, expected);
  return [];
}

function texts(value: unknown, place: Place): string[] | null {
  if (!Array.isArray(value) || value.length > MAX_MEMBERS) {
    return place.refuse(value, `an array of at most ${MAX_MEMBERS} texts`);
  }
  const sound = value.map((text, i) =>
    typeof text === 'string' && text !== '' && text.length <= MAX_TEXT
      ? text
      : place.at(i).refuse(text, 'a text, or another set such as "$admins"'),
  );
  return sound.every((text) => text !== null) ? sound : null;
}

function bounded(members: readonly string[], place: Place): readonly string[] {
  if (members.length <= MAX_MEMBERS) return members;
  place.refuseAs(`${members.length} members with those of the sets it includes`, `at most ${MAX_MEMBERS}`);
  return [];
}
