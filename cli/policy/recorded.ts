import {
  ANONYMOUS,
  type Caller,
  type Facts,
  type PolicyRequest,
  parseCaller,
  type Risk,
  type User,
} from '../../lib/policy/index.ts';
import { parseSpiffeId, type SpiffeId } from '../../lib/spiffe/index.ts';
import type { DecisionRecord } from '../audit-records.ts';

/** A request that was judged, as the audit tells it; `missing` grows while it is judged again. */
export type Recorded = {
  readonly request: PolicyRequest;
  /** What was asked of it that the audit does not hold. Empty afterwards: the judgement is as it would have been. */
  readonly missing: ReadonlySet<string>;
};

/** Null: the record is none that a sidecar writes. */
export function recordedRequest(record: DecisionRecord): Recorded | null {
  const caller = callerOf(record.caller);
  if (caller === null || typeof record.method !== 'string' || typeof record.path !== 'string') return null;
  const missing = new Set<string>();
  const facts = new RecordedFacts(record, caller, missing);
  return { request: { caller, method: record.method, path: record.path, facts }, missing };
}

/** Answers what the record answers. What it does not is noted, and answered as if the request had none. */
class RecordedFacts implements Facts {
  readonly #record: DecisionRecord;
  readonly #caller: Caller;
  readonly #missing: Set<string>;

  constructor(record: DecisionRecord, caller: Caller, missing: Set<string>) {
    this.#record = record;
    this.#caller = caller;
    this.#missing = missing;
  }

  get now(): Date {
    return new Date(this.#record.time);
  }
  get edge(): boolean {
    return this.#caller === ANONYMOUS;
  }
  get host(): string {
    return this.#held('host', isText, '');
  }
  get query(): string {
    return this.#held('query', isText, '');
  }
  get protocol(): Facts['protocol'] {
    return this.#held('protocol', isText, 'http/1.1') as Facts['protocol'];
  }
  get size(): number | null {
    return this.#held('size', orNull(isNumber), null);
  }
  get source(): string | null {
    return this.#held('source', orNull(isText), null);
  }
  get risk(): Risk {
    const score = this.#held('risk', isRisk, 0);
    return typeof score === 'number' ? { score, reasons: [] } : { reasons: [], ...score };
  }
  get chain(): readonly SpiffeId[] {
    return this.#held('chain', isChain, []).map(parseSpiffeId);
  }
  get user(): User | null {
    const user = this.#held('user', orNull(isObject), null);
    return user === null ? null : new RecordedUser(user, this.#missing);
  }
  header(name: string): string | null {
    this.#missing.add(`header.${name}`);
    return null;
  }

  #held<T>(name: string, is: (value: unknown) => value is T, otherwise: T): T {
    return held(this.#record, name, is, otherwise, name, this.#missing);
  }
}

/** The audit may know who the user was and not all that the token said. */
class RecordedUser implements User {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #missing: Set<string>;

  constructor(fields: Readonly<Record<string, unknown>>, missing: Set<string>) {
    this.#fields = fields;
    this.#missing = missing;
  }

  get issuer(): string {
    return this.#held('issuer', isText, '');
  }
  get subject(): string {
    return this.#held('subject', isText, '');
  }
  get scopes(): ReadonlySet<string> {
    return new Set(this.#held('scopes', isTexts, []));
  }
  get roles(): ReadonlySet<string> {
    return new Set(this.#held('roles', isTexts, []));
  }
  get consents(): ReadonlySet<string> {
    return new Set(this.#held('consents', isTexts, []));
  }
  get acr(): string | null {
    return this.#held('acr', orNull(isText), null);
  }
  get authTime(): number | null {
    return this.#held('auth_time', orNull(isNumber), null);
  }
  get issuedAt(): number | null {
    return this.#held('issued_at', orNull(isNumber), null);
  }
  get claims(): Readonly<Record<string, unknown>> {
    return this.#held('claims', isObject, {});
  }

  #held<T>(name: string, is: (value: unknown) => value is T, otherwise: T): T {
    return held(this.#fields, name, is, otherwise, `user.${name}`, this.#missing);
  }
}

function held<T>(
  fields: Readonly<Record<string, unknown>>,
  name: string,
  is: (value: unknown) => value is T,
  otherwise: T,
  called: string,
  missing: Set<string>,
): T {
  const value = fields[name];
  if (Object.hasOwn(fields, name) && is(value)) return value;
  missing.add(called);
  return otherwise;
}

function callerOf(text: unknown): Caller | null {
  try {
    return parseCaller(String(text));
  } catch {
    return null;
  }
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number => typeof value === 'number';
const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);
const isChain = (value: unknown): value is string[] =>
  isTexts(value) && value.every((id) => ![null, ANONYMOUS].includes(callerOf(id) as never));
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isRisk = (value: unknown): value is number | { score: number } =>
  isNumber(value) || (isObject(value) && isNumber(value['score']));

function orNull<T>(is: (value: unknown) => value is T): (value: unknown) => value is T | null {
  return (value) => value === null || is(value);
}
