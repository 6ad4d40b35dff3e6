import { readJson } from '../json-text.ts';
import { parseSpiffeId, type SpiffeId } from '../spiffe/index.ts';
import { parseCondition } from './condition.ts';
import { oneOf, Place, type PolicyDefect, PolicyError } from './defect.ts';
import { EFFECTS, LEVELS, MODES, type PolicyDocument } from './document.ts';

/** One file of policies: a document, an array of documents, or `{"$schema"?, "policies": [documents]}`. */
export type PolicySource = { readonly file: string; readonly text: string };

const FIELDS = ['$schema', 'name', 'level', 'target', 'effect', 'mode', 'when'];
const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?$/;
const MAX_FILE_CHARS = 8 * 1024 * 1024;
const MAX_DOCUMENTS = 10_000;

/**
 * Reads a policy set. All or nothing: a field, attribute or operator that is not known, anywhere, refuses the set, so that an old
 * reader never enforces half of what a newer author meant.
 * @throws PolicyError with every defect of every file
 */
export function parsePolicies(sources: readonly PolicySource[]): PolicyDocument[] {
  const defects: PolicyDefect[] = [];
  const documents: PolicyDocument[] = [];
  const places = new Map<string, string>();
  for (const source of sources) {
    for (const [value, place] of documentsOf(source, new Place(defects, source.file))) {
      const document = parseDocument(value, place);
      if (document === null) continue;
      checkUnique(document, place, places);
      documents.push(document);
    }
  }
  if (documents.length > MAX_DOCUMENTS) {
    new Place(defects, sources[0]?.file ?? '').refuseAs(
      `${documents.length} documents`,
      `at most ${MAX_DOCUMENTS}`,
    );
  }
  if (defects.length > 0) throw new PolicyError(defects);
  return documents;
}

function documentsOf(source: PolicySource, place: Place): [unknown, Place][] {
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
  return listed(json.value, place);
}

function listed(value: unknown, place: Place): [unknown, Place][] {
  if (Array.isArray(value)) return value.map((document, i) => [document, place.at(i)]);
  if (!isObject(value) || !Object.hasOwn(value, 'policies')) return [[value, place]];
  for (const key of Object.keys(value)) {
    if (key !== 'policies' && key !== '$schema') place.at(key).refuse(key, oneOf(['$schema', 'policies']));
  }
  const { policies } = value;
  if (Array.isArray(policies)) return policies.map((document, i) => [document, place.at('policies').at(i)]);
  place.at('policies').refuse(policies, 'an array of documents');
  return [];
}

function parseDocument(value: unknown, place: Place): PolicyDocument | null {
  if (!isObject(value)) return place.refuse(value, 'a policy document: an object');
  for (const key of Object.keys(value)) {
    if (!FIELDS.includes(key)) place.at(key).refuse(key, `one of the fields ${oneOf(FIELDS)}`);
  }
  const field = (name: string) => (Object.hasOwn(value, name) ? value[name] : undefined);
  const name = parseName(field('name'), place.at('name'));
  const level = parseWord(LEVELS, field('level'), place.at('level'));
  const target = parseTarget(field('target'), place.at('target'));
  const effect = parseWord(EFFECTS, field('effect'), place.at('effect'));
  const mode = parseWord(MODES, field('mode'), place.at('mode'));
  const when = parseCondition(field('when'), place.at('when'));
  if (
    name === null ||
    level === null ||
    target === null ||
    effect === null ||
    mode === null ||
    when === null
  ) {
    return null;
  }
  return { name, level, target, effect, mode, when };
}

function parseName(value: unknown, place: Place): string | null {
  if (typeof value === 'string' && NAME.test(value)) return value;
  return place.refuse(value, 'a name of 1 to 100 of a-z 0-9 . _ -');
}

function parseWord<Word extends string>(words: readonly Word[], value: unknown, place: Place): Word | null {
  return words.find((word) => word === value) ?? place.refuse(value, oneOf(words));
}

function parseTarget(value: unknown, place: Place): SpiffeId | null {
  const expected = 'the SPIFFE ID of the service it protects';
  if (typeof value !== 'string') return place.refuse(value, expected);
  try {
    return parseSpiffeId(value);
  } catch {
    return place.refuse(value, expected);
  }
}

/** A decision names its rule, so a name stands for one document of its target. */
function checkUnique(document: PolicyDocument, place: Place, places: Map<string, string>): void {
  const key = `${document.target} ${document.name}`;
  const first = places.get(key);
  if (first !== undefined) place.at('name').refuse(document.name, `another name than that of ${first}`);
  else places.set(key, `${place.file}#${place.pointer}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
