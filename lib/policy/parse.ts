import { readJson } from '../json-text.ts';
import { type Challenge, parseChallenge } from './challenge.ts';
import { parseCondition, placeholdersIn } from './condition.ts';
import { oneOf, Place, type PolicyDefect, PolicyError } from './defect.ts';
import { EFFECTS, type Effect, LEVELS, type Level, MODES, type PolicyDocument } from './document.ts';
import { Declarations, type NamedSets } from './named-sets.ts';
import { type RegexCompiler, regexesFor } from './regex.ts';
import { parseTarget, type Target } from './target.ts';

/**
 * One file of policies: a document, an array of documents, or `{"$schema"?, "sets"?, "relations"?, "policies"?}`. What one file declares
 * can be used in all that are read together.
 */
export type PolicySource = { readonly file: string; readonly text: string };

const FIELDS = ['$schema', 'name', 'level', 'target', 'effect', 'mode', 'when', 'challenge'];
const SET_FIELDS = ['$schema', 'sets', 'relations', 'policies'];
const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?$/;
const MAX_FILE_CHARS = 8 * 1024 * 1024;
const MAX_DOCUMENTS = 10_000;

/**
 * Reads a policy set. All or nothing: a field, attribute or operator that is not known, anywhere, refuses the set, so that an old
 * reader never enforces half of what a newer author meant.
 * @param regexes what reads regular expressions; without it `matches` refuses the set
 * @throws PolicyError with every defect of every file
 */
export function parsePolicies(
  sources: readonly PolicySource[],
  regexes: RegexCompiler | null = null,
): PolicyDocument[] {
  const defects: PolicyDefect[] = [];
  const documents: PolicyDocument[] = [];
  const declarations = new Declarations();
  const values = sources.flatMap((source) =>
    documentsOf(source, new Place(defects, source.file), declarations),
  );
  const names = declarations.resolve();
  const unique = new UniqueNames();
  for (const [value, place] of values) {
    const document = parseDocument(value, place, names, regexes);
    if (document === null) continue;
    unique.add(document, place);
    documents.push(document);
  }
  if (documents.length > MAX_DOCUMENTS) {
    new Place(defects, sources[0]?.file ?? '').refuseAs(
      `${documents.length} documents`,
      `at most ${MAX_DOCUMENTS}`,
    );
  }
  if (defects.length > 0) throw new PolicyError(inOrder(defects, sources));
  return documents;
}

/**
 * Reads a policy set as `parsePolicies` does, with what it needs for that.
 * @throws PolicyError with every defect of every file
 */
export async function readPolicies(sources: readonly PolicySource[]): Promise<PolicyDocument[]> {
  return parsePolicies(sources, await regexesFor(sources.map(({ text }) => text)));
}

function documentsOf(source: PolicySource, place: Place, declarations: Declarations): [unknown, Place][] {
  if (source.text.length > MAX_FILE_CHARS) {
    place.refuseAs(`${source.text.length} characters`, `at most ${MAX_FILE_CHARS}`);
    return [];
  }
  const json = readJson(source.text);
  if (!json.ok) {
    place.refuseAs(`text that is not JSON ${json.where}`, 'JSON');
    return [];
  }
  for (const pointer of json.repeated) {
    place.below(pointer).refuseAs('a member of the same name again', 'each member once');
  }
  return listed(json.value, place, declarations);
}

function listed(value: unknown, place: Place, declarations: Declarations): [unknown, Place][] {
  if (Array.isArray(value)) return value.map((document, i) => [document, place.at(i)]);
  const isSet = isObject(value) && ['policies', 'sets', 'relations'].some((key) => Object.hasOwn(value, key));
  if (!isSet) return [[value, place]];
  for (const key of Object.keys(value)) {
    if (!SET_FIELDS.includes(key)) place.at(key).refuse(key, oneOf(SET_FIELDS));
  }
  if (Object.hasOwn(value, 'sets')) declarations.addSets(value['sets'], place.at('sets'));
  if (Object.hasOwn(value, 'relations')) declarations.addRelations(value['relations'], place.at('relations'));
  if (!Object.hasOwn(value, 'policies')) return [];
  const { policies } = value;
  if (Array.isArray(policies)) return policies.map((document, i) => [document, place.at('policies').at(i)]);
  place.at('policies').refuse(policies, 'an array of documents');
  return [];
}

function parseDocument(
  value: unknown,
  place: Place,
  names: NamedSets,
  regexes: RegexCompiler | null,
): PolicyDocument | null {
  if (!isObject(value)) return place.refuse(value, 'a policy document: an object');
  for (const key of Object.keys(value)) {
    if (!FIELDS.includes(key)) place.at(key).refuse(key, `one of the fields ${oneOf(FIELDS)}`);
  }
  const field = (name: string) => (Object.hasOwn(value, name) ? value[name] : undefined);
  const name = parseName(field('name'), place.at('name'));
  const level = parseWord(LEVELS, field('level'), place.at('level'));
  const target = readTarget(field('target'), level, place.at('target'));
  const effect = parseWord(EFFECTS, field('effect'), place.at('effect'));
  const mode = parseWord(MODES, field('mode'), place.at('mode'));
  const scope = { names, regexes, placeholders: placeholdersIn(field('when')) };
  const when = parseCondition(field('when'), place.at('when'), scope);
  const challenge = Object.hasOwn(value, 'challenge')
    ? readChallenge(field('challenge'), effect, place.at('challenge'))
    : undefined;
  if (
    name === null ||
    level === null ||
    target === null ||
    effect === null ||
    mode === null ||
    when === null ||
    challenge === null
  ) {
    return null;
  }
  return { name, level, target, effect, mode, when, ...(challenge === undefined ? {} : { challenge }) };
}

/** By file, as the files were given. */
function inOrder(defects: readonly PolicyDefect[], sources: readonly PolicySource[]): PolicyDefect[] {
  const rank = new Map(sources.map(({ file }, i) => [file, i]));
  return defects.toSorted((a, b) => (rank.get(a.file) ?? 0) - (rank.get(b.file) ?? 0));
}

function parseName(value: unknown, place: Place): string | null {
  if (typeof value === 'string' && NAME.test(value)) return value;
  return place.refuse(value, 'a name of 1 to 100 of a-z 0-9 . _ -');
}

function parseWord<Word extends string>(words: readonly Word[], value: unknown, place: Place): Word | null {
  return words.find((word) => word === value) ?? place.refuse(value, oneOf(words));
}

function readTarget(value: unknown, level: Level | null, place: Place): Target | null {
  const expected = 'the SPIFFE ID of the service it protects, or of level root and business-unit a pattern';
  if (typeof value !== 'string') return place.refuse(value, expected);
  try {
    const target = parseTarget(value);
    return target.isPattern && level === 'application' ? place.refuse(value, expected) : target;
  } catch {
    return place.refuse(value, expected);
  }
}

function readChallenge(value: unknown, effect: Effect | null, place: Place): Challenge | null {
  if (effect === 'allow') return place.refuseAs('a challenge', 'none: only a deny has one');
  return parseChallenge(value, place);
}

/** A decision names its rule, so no service may have two of one name. */
class UniqueNames {
  readonly #exact = new Map<string, Place>();
  readonly #patterns = new Map<string, [Target, Place][]>();
  readonly #targets = new Map<string, [Target, Place][]>();

  add({ name, target }: PolicyDocument, place: Place): void {
    const first = this.#sameName(name, target);
    if (first !== null) {
      place.at('name').refuse(name, `another name than that of ${first.file}#${first.pointer}`);
      return;
    }
    this.#exact.set(`${target} ${name}`, place);
    remember(this.#targets, name, target, place);
    if (target.isPattern) remember(this.#patterns, name, target, place);
  }

  #sameName(name: string, target: Target): Place | null {
    const same = this.#exact.get(`${target} ${name}`);
    if (same !== undefined) return same;
    const others = (target.isPattern ? this.#targets : this.#patterns).get(name) ?? [];
    return others.find(([other]) => other.overlaps(target))?.[1] ?? null;
  }
}

function remember(map: Map<string, [Target, Place][]>, name: string, target: Target, place: Place): void {
  const known = map.get(name);
  if (known === undefined) map.set(name, [[target, place]]);
  else known.push([target, place]);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
