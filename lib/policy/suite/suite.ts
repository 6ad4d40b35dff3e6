import { readJson } from '../../json-text.ts';
import { parseSpiffeId, type SpiffeId } from '../../spiffe/index.ts';
import { type Caller, parseCaller } from '../caller.ts';
import { Place, type PolicyDefect, PolicyError } from '../defect.ts';
import { EFFECTS, type Effect } from '../document.ts';
import type { User } from '../facts.ts';
import type { PolicySource } from '../parse.ts';
import { pathFlaw } from '../path.ts';
import {
  anyObject,
  instant,
  list,
  named,
  object,
  oneOrMore,
  orNull,
  parsedBy,
  type Reader,
  text,
  word,
} from './readers.ts';
import { caller, type GivenRequest, request, requestLine } from './request.ts';
import { user } from './user.ts';

/** A table of requests and what policy is to say of each. */
export type Suite = {
  readonly file: string;
  /** Null: the only one that its policies have. */
  readonly target: SpiffeId | null;
  /** Files, relative to the suite; null: those beside it. */
  readonly policies: readonly string[] | null;
  readonly now: Date;
  readonly cases: readonly Case[];
};

/** One caller, one user and one request of a row. */
export type Case = {
  /** Where its row stands, a JSON pointer. */
  readonly pointer: string;
  /** As the row names them: `web, alice, GET /orders/7` */
  readonly what: string;
  readonly caller: Caller;
  readonly user: User | null;
  readonly request: GivenRequest;
  readonly expected: Expected;
};

/** What is left out is not checked. */
export type Expected = {
  readonly outcome: Effect;
  readonly rule?: string | null;
  readonly dryRun?: readonly string[];
  readonly challenge?: Readonly<Record<string, unknown>> | null;
};

type Row = {
  readonly what?: string;
  readonly caller: readonly string[];
  readonly user?: readonly (string | null)[];
  readonly request: readonly string[];
  readonly with?: GivenRequest;
  readonly outcome: Effect;
  readonly rule?: string | null;
  readonly dry_run?: readonly string[];
  readonly challenge?: Readonly<Record<string, unknown>> | null;
};

type Table = {
  readonly target?: SpiffeId;
  readonly policies?: readonly string[];
  readonly now: Date;
  readonly callers?: ReadonlyMap<string, Caller>;
  readonly users?: ReadonlyMap<string, User>;
  readonly requests?: ReadonlyMap<string, GivenRequest>;
  readonly rows: readonly Row[];
};

const MAX_ROWS = 10_000;
const MAX_CASES = 100_000;

const row: Reader<Row> = object<Row>(
  {
    what: text,
    caller: oneOrMore(text),
    user: oneOrMore(orNull(text)),
    request: oneOrMore(text),
    with: request,
    outcome: word(EFFECTS),
    rule: orNull(text),
    dry_run: list(text, 1024),
    challenge: orNull(anyObject),
  },
  ['caller', 'request', 'outcome'],
);

const table: Reader<Table> = object<Table>(
  {
    target: parsedBy(parseSpiffeId, 'the SPIFFE ID of the service that is asked'),
    policies: list(text, 1024),
    now: instant,
    callers: named(caller),
    users: named(user),
    requests: named(request),
    rows: list(row, MAX_ROWS),
  },
  ['now', 'rows'],
);

/**
 * Reads a suite. Whatever is not understood refuses it: a row that says nothing would pass.
 * @throws PolicyError with every defect
 */
export function parseSuite({ file, text: source }: PolicySource): Suite {
  const defects: PolicyDefect[] = [];
  const place = new Place(defects, file);
  const json = readJson(source);
  if (!json.ok) place.refuseAs(`text that is not JSON ${json.where}`, 'JSON');
  else
    for (const pointer of json.repeated)
      place.below(pointer).refuseAs('a member of the same name again', 'each member once');
  const read = json.ok ? table(json.value, place) : null;
  const cases = read === null || defects.length > 0 ? [] : casesOf(read, place.at('rows'));
  if (read === null || defects.length > 0) throw new PolicyError(defects);
  return { file, target: read.target ?? null, policies: read.policies ?? null, now: read.now, cases };
}

/** Each caller of a row with each of its users and each of its requests. */
function casesOf(read: Table, rows: Place): Case[] {
  const cases: Case[] = [];
  for (const [i, row] of read.rows.entries()) {
    const place = rows.at(i);
    if (cases.length + row.caller.length * (row.user?.length ?? 1) * row.request.length > MAX_CASES) {
      place.refuseAs('more cases', `at most ${MAX_CASES} in a suite`);
      break;
    }
    const expected = expectedOf(row);
    for (const asks of row.caller)
      for (const uses of row.user ?? [null])
        for (const asked of row.request) {
          const what = [asks, ...(uses === null ? [] : [uses]), asked].join(', ');
          cases.push({
            pointer: place.pointer,
            what: row.what === undefined ? what : `${row.what}: ${what}`,
            caller: callerOf(asks, read, place.at('caller')),
            user: uses === null ? null : userOf(uses, read, place.at('user')),
            request: { ...requestOf(asked, read, place.at('request')), ...row.with },
            expected,
          });
        }
  }
  return cases;
}

function expectedOf({ outcome, rule, dry_run: dryRun, challenge }: Row): Expected {
  return {
    outcome,
    ...(rule === undefined ? {} : { rule }),
    ...(dryRun === undefined ? {} : { dryRun }),
    ...(challenge === undefined ? {} : { challenge }),
  };
}

function callerOf(name: string, { callers }: Table, place: Place): Caller {
  const known = callers?.get(name);
  if (known !== undefined) return known;
  try {
    return parseCaller(name);
  } catch {
    place.refuse(name, 'a name of "callers", a SPIFFE ID or "anonymous"');
    return 'anonymous';
  }
}

function userOf(name: string, { users }: Table, place: Place): User | null {
  return users?.get(name) ?? place.refuse(name, 'a name of "users", or null');
}

function requestOf(name: string, { requests }: Table, place: Place): GivenRequest {
  const known = requests?.get(name) ?? requestLine(name);
  if (known === null)
    return place.refuse(name, 'a name of "requests", or a line such as "GET /orders/7"') ?? {};
  const flaw = known.path === undefined ? null : pathFlaw(known.path);
  if (flaw !== null) place.refuse(name, flaw);
  return known;
}
