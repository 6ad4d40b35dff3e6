import { isIP } from 'node:net';
import { type Defect, InputError } from '../errors.ts';
import { type InputName, Networks, type RiskInputs, type RiskRules } from './rules.ts';

/**
 * Reads the rules of risk from a JSON text (schema.json).
 * @throws InputError with every defect, each by its JSON pointer
 */
export function parseRiskRules(text: string): RiskRules {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InputError('risk', [{ pointer: '', message: 'is not JSON' }]);
  }
  const defects: Defect[] = [];
  const place = new Place(value, '', defects);
  const members = place.members(['inputs'], ['$schema', 'learn', 'half_life', 'anomaly']);
  const rules = {
    learnMinutes: (members.get('learn')?.duration() ?? HOUR_MS) / 60_000,
    halfLifeMs: members.get('half_life')?.duration() ?? 15 * 60_000,
    inputs: readInputs(members.get('inputs')),
    anomaly: readAnomaly(members.get('anomaly')),
  };
  members.get('$schema')?.text();
  if (defects.length > 0) throw new InputError('risk', defects);
  return rules;
}

const HOUR_MS = 3_600_000;
const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: HOUR_MS, d: 24 * HOUR_MS };
const MOST_VALUES = 256;

type Read = (place: Place) => unknown;
const count: Read = (place) => place.number(1, 1_000_000);
const factor: Read = (place) => place.number(1, 1_000_000);
const share: Read = (place) => place.number(0.001, 1);
const seconds: Read = (place) => (place.duration() ?? 0) / 1_000;

/** The members of each input beside `weight`; all are to be there. */
const INPUTS: Readonly<Record<InputName, Readonly<Record<string, Read>>>> = {
  rate: { above: factor, least: count },
  hour: { below: share, days: count },
  size: { above: factor },
  errors: { above: share, least: count },
  new_edge: {},
  token_age: { above: seconds },
  acr: { in: (place) => new Set(place.texts()) },
  network: { in: networks },
  recent: {},
  reported: {},
};

function readInputs(place: Place | undefined): RiskInputs {
  const inputs: Record<string, object> = {};
  if (place === undefined) return inputs;
  for (const [name, input] of place.members([], Object.keys(INPUTS))) {
    const readers = INPUTS[name as InputName];
    const read = [...input.members(['weight', ...Object.keys(readers)], [])].map(([member, at]) => [
      member,
      member === 'weight' ? at.number(1, 100) : readers[member]!(at),
    ]);
    inputs[name] = Object.fromEntries(read);
  }
  return inputs;
}

function readAnomaly(place: Place | undefined): RiskRules['anomaly'] {
  if (place === undefined) return null;
  const members = place.members(['from'], ['every']);
  return {
    from: members.get('from')?.number(1, 100) ?? 100,
    everyMs: members.get('every')?.duration() ?? 60_000,
  };
}

function networks(place: Place): Networks {
  const found = new Networks();
  for (const [i, text] of place.texts().entries()) {
    const [address = '', prefix = '', ...rest] = text.split('/');
    const version = isIP(address);
    const fits = /^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128);
    if (version === 0 || !fits || rest.length > 0)
      place.at(i, text).flaw('is not a network such as 10.0.0.0/8');
    else found.add(text);
  }
  return found;
}

/** A value of the document, and where it stands. What is wrong is noted, and something sound given in its place. */
class Place {
  readonly #value: unknown;
  readonly #pointer: string;
  readonly #defects: Defect[];

  constructor(value: unknown, pointer: string, defects: Defect[]) {
    this.#value = value;
    this.#pointer = pointer;
    this.#defects = defects;
  }

  at(token: string | number, value: unknown): Place {
    const escaped = String(token).replaceAll('~', '~0').replaceAll('/', '~1');
    return new Place(value, `${this.#pointer}/${escaped}`, this.#defects);
  }

  flaw(message: string): void {
    this.#defects.push({ pointer: this.#pointer, message });
  }

  members(required: readonly string[], optional: readonly string[]): Map<string, Place> {
    const value = this.#value;
    const found = new Map<string, Place>();
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.flaw('is not an object');
      return found;
    }
    const known = [...required, ...optional];
    for (const [name, member] of Object.entries(value)) {
      const place = this.at(name, member);
      if (known.includes(name)) found.set(name, place);
      else place.flaw(known.length === 0 ? 'is unknown' : `is unknown: there are ${known.join(', ')}`);
    }
    for (const name of required) if (!found.has(name)) this.at(name, undefined).flaw('is missing');
    return found;
  }

  number(least: number, most: number): number {
    const value = this.#value;
    if (typeof value === 'number' && value >= least && value <= most) return value;
    this.flaw(`is not a number from ${least} to ${most}`);
    return least;
  }

  /** Milliseconds. */
  duration(): number | undefined {
    const [, digits = '', unit = ''] = /^([1-9]\d{0,5})([smhd])$/.exec(String(this.text() ?? '')) ?? [];
    if (digits !== '') return Number(digits) * UNITS[unit]!;
    if (typeof this.#value === 'string') this.flaw('is not a time such as 30s, 15m, 12h or 7d');
    return undefined;
  }

  text(): string | undefined {
    if (typeof this.#value === 'string') return this.#value;
    this.flaw('is not a text');
    return undefined;
  }

  texts(): string[] {
    const value = this.#value;
    if (
      Array.isArray(value) &&
      value.length > 0 &&
      value.length <= MOST_VALUES &&
      value.every((each) => typeof each === 'string')
    )
      return value;
    this.flaw(`is not an array of 1 to ${MOST_VALUES} texts`);
    return [];
  }
}
