import { BlockList, isIP } from 'node:net';
import { type Defect, InputError } from '../errors.ts';
import { parseSelectorKey } from './selectors.ts';
import { aliasPattern, type IdTemplate, parseIdTemplate } from './template.ts';

/** `pending`: being written; `disabled`: kept, refused. Only an `active` entry gives identities. */
export const ENTRY_STATES = ['pending', 'active', 'disabled'] as const;
export type EntryState = (typeof ENTRY_STATES)[number];

/** A registration entry: the selectors that a workload must show, and the SPIFFE ID it then gets. */
export type Entry = {
  readonly tenant: string;
  readonly name: string;
  readonly match: Readonly<Record<string, string>>;
  readonly spiffe_id: string;
  /** One of the layout's lifetimes, as a word Vault reads: `15m`. */
  readonly ttl: string;
  /** Networks (CIDR) from which the grant may be spent; none means any. */
  readonly networks: readonly string[];
  readonly federates_with: readonly string[];
  readonly state: EntryState;
  /** RFC 3339, UTC: once it has passed and the entry has never given an identity, it gives none. */
  readonly appear_by?: string;
};

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const FIELDS = [
  ...['tenant', 'name', 'match', 'spiffe_id', 'ttl', 'networks', 'federates_with', 'state', 'appear_by'],
];
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/;
const MAX_SELECTORS = 32;
const MAX_VALUE = 512;

export function isEntryName(text: string): boolean {
  return NAME.test(text);
}

/** A tenant, `organisation/business-unit/application`: one to four names. Undefined when it is not one. */
export function parseTenant(text: string): string | undefined {
  const segments = text.split('/');
  return segments.length <= 4 && segments.every(isEntryName) ? text : undefined;
}

/** `acme/shop/orders`: tenant and name in one. */
export function entryRef(entry: Pick<Entry, 'tenant' | 'name'>): string {
  return `${entry.tenant}/${entry.name}`;
}

/** The way back from `entryRef`. Undefined when it is not one. */
export function parseEntryRef(text: string): { tenant: string; name: string } | undefined {
  const cut = text.lastIndexOf('/');
  const [tenant, name] = [text.slice(0, Math.max(cut, 0)), text.slice(cut + 1)];
  return parseTenant(tenant) !== undefined && isEntryName(name) ? { tenant, name } : undefined;
}

/**
 * Parses an entry from JSON a registrar sent or Vault holds. `state` defaults to `active`.
 * @throws InputError with every defect, each by its JSON pointer
 */
export function parseEntry(value: unknown, context: { trustDomain: string }): Entry {
  const defects: Defect[] = [];
  const flaw = (pointer: string, message: string) => void defects.push({ pointer, message });
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InputError('entry', [{ pointer: '', message: 'is not a JSON object' }]);
  }
  const raw = value as Record<string, unknown>;
  for (const key of Object.keys(raw))
    if (!FIELDS.includes(key)) flaw(`/${escaped(key)}`, 'is not a field of an entry');
  const text = (field: string): string => {
    if (typeof raw[field] === 'string') return raw[field];
    flaw(`/${field}`, raw[field] === undefined ? 'is missing' : 'is not a string');
    return '';
  };
  const tenant = text('tenant');
  if (tenant !== '' && parseTenant(tenant) === undefined) {
    flaw('/tenant', 'is one to four names of a-z 0-9 - joined by /');
  }
  const name = text('name');
  if (name !== '' && !isEntryName(name))
    flaw('/name', 'is 1 to 63 of a-z 0-9 -, not starting or ending with -');
  const ttl = text('ttl');
  if (ttl !== '' && !/^[1-9][0-9]{0,5}[smh]$/.test(ttl))
    flaw('/ttl', 'is a number with s, m or h, such as 15m');
  const match = parseMatch(raw['match'], flaw);
  const spiffeId = text('spiffe_id');
  if (spiffeId !== '') checkTemplate(spiffeId, match, context.trustDomain, flaw);
  const networks = list(raw, 'networks', flaw, isCidr, 'is not a network such as 10.1.0.0/16');
  const federates = list(
    raw,
    'federates_with',
    flaw,
    (s) => /^[a-z0-9._-]{1,255}$/.test(s),
    'is not a trust domain',
  );
  const state = raw['state'] ?? 'active';
  if (!ENTRY_STATES.includes(state as EntryState)) flaw('/state', `is one of ${ENTRY_STATES.join(', ')}`);
  const appearBy = raw['appear_by'];
  if (appearBy !== undefined && !isInstant(appearBy))
    flaw('/appear_by', 'is not a time in UTC such as 2026-12-24T18:00:00Z');
  if (defects.length > 0) throw new InputError('entry', defects);
  return {
    tenant,
    name,
    match,
    spiffe_id: spiffeId,
    ttl,
    networks,
    federates_with: federates,
    state: state as EntryState,
    ...(isInstant(appearBy) ? { appear_by: appearBy } : {}),
  };
}

type Flaw = (pointer: string, message: string) => void;

function parseMatch(value: unknown, flaw: Flaw): Record<string, string> {
  const match: Record<string, string> = Object.create(null);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    flaw('/match', value === undefined ? 'is missing' : 'is not an object of selectors');
    return match;
  }
  const pairs = Object.entries(value);
  if (pairs.length === 0) flaw('/match', 'is empty: an entry that asks for nothing would match everyone');
  if (pairs.length > MAX_SELECTORS) flaw('/match', `has over ${MAX_SELECTORS} selectors`);
  for (const [key, wanted] of pairs.slice(0, MAX_SELECTORS)) {
    const pointer = `/match/${escaped(key)}`;
    if (parseSelectorKey(key) === undefined) flaw(pointer, 'is not a selector such as k8s:ns');
    else if (typeof wanted !== 'string' || wanted === '')
      flaw(pointer, 'is not a string that says something');
    else if (wanted.length > MAX_VALUE) flaw(pointer, `is over ${MAX_VALUE} characters`);
    else match[key] = wanted;
  }
  const methods = new Set(Object.keys(match).map((key) => key.slice(0, key.indexOf(':'))));
  if (methods.size > 1) {
    flaw(
      '/match',
      `mixes ${[...methods].join(' and ')}: a workload shows evidence of one kind, so nothing would match`,
    );
  }
  return { ...match };
}

function checkTemplate(text: string, match: Record<string, string>, trustDomain: string, flaw: Flaw): void {
  let template: IdTemplate;
  try {
    template = parseIdTemplate(text);
    aliasPattern(template, match);
  } catch (error) {
    flaw('/spiffe_id', error instanceof Error ? error.message : 'is not a SPIFFE ID');
    return;
  }
  if (template.trustDomain !== trustDomain) flaw('/spiffe_id', `is not in the trust domain ${trustDomain}`);
  const first = template.segments[0]!;
  if ('selector' in first) flaw('/spiffe_id', 'its first path segment is fixed text, never a selector');
  else if (first.text === 'signet') flaw('/spiffe_id', "is below /signet/, which is Signet's own");
}

function list(
  raw: Record<string, unknown>,
  field: string,
  flaw: Flaw,
  good: (item: string) => boolean,
  message: string,
): string[] {
  const value = raw[field] ?? [];
  if (!Array.isArray(value)) {
    flaw(`/${field}`, 'is not a list');
    return [];
  }
  value.forEach((item, i) => {
    if (typeof item !== 'string' || !good(item)) flaw(`/${field}/${i}`, message);
  });
  return value.filter((item) => typeof item === 'string');
}

/** A day that is in no calendar is none. */
function isInstant(value: unknown): value is string {
  if (typeof value !== 'string' || !INSTANT.test(value)) return false;
  const time = new Date(value);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(value.slice(0, 19));
}

function isCidr(text: string): boolean {
  const [address = '', bits = '', ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0 || !/^\d{1,3}$/.test(bits)) return false;
  try {
    new BlockList().addSubnet(address, Number(bits), version === 6 ? 'ipv6' : 'ipv4');
    return true;
  } catch {
    return false;
  }
}

/** A key as one reference token of a JSON pointer, RFC 6901 §3. */
function escaped(key: string): string {
  return key.slice(0, 80).replaceAll('~', '~0').replaceAll('/', '~1');
}
