import {
  ANONYMOUS,
  type Caller,
  type Facts,
  NO_RISK,
  type PolicyDocument,
  type PolicyRequest,
  parseCaller,
  type Risk,
  type User,
} from '../../lib/policy/index.ts';
import { attributesOf } from '../../lib/policy/review/index.ts';
import type { DecisionRecord } from '../audit-records.ts';

/** A request that was judged, as the audit tells it; `missing` grows while it is judged again. */
export type Recorded = {
  readonly request: PolicyRequest;
  /** What was asked of it that the audit does not hold. Empty afterwards: the judgement is as it would have been. */
  readonly missing: ReadonlySet<string>;
};

/**
 * Null: the record is none that a sidecar writes.
 * @param chained see `asksChain`; otherwise who started it is enough to answer by
 */
export function recordedRequest(record: DecisionRecord, chained: boolean): Recorded | null {
  const caller = callerOf(record.caller);
  if (caller === null || ![record.id, record.method, record.path].every(isPlain)) return null;
  const missing = new Set<string>();
  const facts = new RecordedFacts(record, caller, chained, missing);
  return { request: { caller, method: record.method, path: record.path, facts }, missing };
}

/** Whether some rule asks about the services that a request passed, and not only who started it. */
export function asksChain(documents: readonly PolicyDocument[]): boolean {
  return documents.some(({ when }) => attributesOf(when).includes('chain'));
}

/** Answers what the record answers. What it does not is noted, and answered as if the request had none. */
class RecordedFacts implements Facts {
  readonly #record: DecisionRecord;
  readonly #caller: Caller;
  readonly #chained: boolean;
  readonly #held: Held;

  constructor(record: DecisionRecord, caller: Caller, chained: boolean, missing: Set<string>) {
    this.#record = record;
    this.#caller = caller;
    this.#chained = chained;
    this.#held = new Held(isObject(record['facts']) ? record['facts'] : {}, missing);
  }

  get now(): Date {
    return new Date(this.#record.time);
  }
  get edge(): boolean {
    return this.#caller === ANONYMOUS;
  }
  get host(): string {
    return this.#held.get('host', orNull(isText), null) ?? '';
  }
  get protocol(): Facts['protocol'] {
    return this.#held.get('protocol', isText, 'http/1.1') as Facts['protocol'];
  }
  get size(): number | null {
    return this.#held.get('size', orNull(isNumber), null);
  }
  get source(): string | null {
    return this.#held.get('source', orNull(isText), null);
  }
  get query(): string {
    this.#held.miss('query');
    return '';
  }
  header(name: string): string | null {
    this.#held.miss(`header.${name}`);
    return null;
  }
  get chain(): readonly Caller[] {
    if (this.#chained || this.#held.has('chain'))
      return (this.#held.get('chain', orNull(isChain), null) ?? []).map(parseCaller);
    const origin = this.#held.get('origin', isIdentity, this.#caller.toString());
    return origin === this.#caller.toString() ? [] : [parseCaller(origin)];
  }
  get risk(): Risk {
    const risk = this.#record['risk'];
    if (isObject(risk) && isNumber(risk['score'])) return { score: risk['score'], reasons: [] };
    this.#held.miss('risk');
    return NO_RISK;
  }
  /** A record without a user is of a request without one. */
  get user(): User | null {
    const user = this.#record['user'];
    return isObject(user) ? new RecordedUser(user, this.#held, this.now) : null;
  }
}

/** The audit knows who the user was, and of the rest what the rules of then asked about. */
class RecordedUser implements User {
  readonly issuer: string;
  readonly subject: string;
  readonly #held: Held;
  readonly #now: Date;

  constructor({ issuer, subject }: Readonly<Record<string, unknown>>, held: Held, now: Date) {
    this.issuer = String(issuer);
    this.subject = String(subject);
    this.#held = held;
    this.#now = now;
  }

  get scopes(): ReadonlySet<string> {
    return new Set(this.#held.get('user.scope', orNull(isTexts), null));
  }
  get roles(): ReadonlySet<string> {
    return new Set(this.#held.get('user.role', orNull(isTexts), null));
  }
  get consents(): ReadonlySet<string> {
    return new Set(this.#held.get('user.consent', orNull(isTexts), null));
  }
  get acr(): string | null {
    return this.#held.get('user.acr', orNull(isText), null);
  }
  get authTime(): number | null {
    return this.#before(this.#held.get('user.auth_age', orNull(isNumber), null));
  }
  get issuedAt(): number | null {
    return this.#before(this.#held.get('token.age', orNull(isNumber), null));
  }
  get claims(): Readonly<Record<string, unknown>> {
    this.#held.miss('user.claim');
    return {};
  }

  #before(age: number | null): number | null {
    return age === null ? null : this.#now.getTime() / 1000 - age;
  }
}

/** What the record holds by the names of the language, and a note of what it does not. */
class Held {
  readonly #facts: Readonly<Record<string, unknown>>;
  readonly #missing: Set<string>;

  constructor(facts: Readonly<Record<string, unknown>>, missing: Set<string>) {
    this.#facts = facts;
    this.#missing = missing;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#facts, name);
  }

  get<T>(name: string, is: (value: unknown) => value is T, otherwise: T): T {
    const value = this.#facts[name];
    if (this.has(name) && is(value)) return value;
    this.#missing.add(name);
    return otherwise;
  }

  miss(name: string): void {
    this.#missing.add(name);
  }
}

function callerOf(text: unknown): Caller | null {
  try {
    return parseCaller(String(text));
  } catch {
    return null;
  }
}

/** No sidecar records anything else as these, and a file may be from anybody: it is printed on a terminal. */
const isPlain = (value: unknown): boolean => typeof value === 'string' && /^[!-~]+$/.test(value);
/** Of a long text the audit has the beginning. */
const isText = (value: unknown): value is string =>
  typeof value === 'string' && !(value.length === 100 && value.endsWith('...'));
const isNumber = (value: unknown): value is number => typeof value === 'number';
/** Of a long list the audit has the first ones and how many more there were. */
const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((each) => isText(each) && !/^\(\d+ more\)$/.test(each));
const isIdentity = (value: unknown): value is string => isText(value) && callerOf(value) !== null;
const isChain = (value: unknown): value is string[] => isTexts(value) && value.every(isIdentity);
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function orNull<T>(is: (value: unknown) => value is T): (value: unknown) => value is T | null {
  return (value) => value === null || is(value);
}
