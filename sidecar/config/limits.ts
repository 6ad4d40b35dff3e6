// not by its index: what reads settings, the supervisor too, needs none of what reads messages
import { HEAD_LIMITS, type HeadLimits } from '../http1/limits.ts';
import type { RelayLimits } from '../relay/index.ts';
import { SettingError } from './values.ts';

/** What is bounded otherwise than by default, on each side of the sidecar. */
export type Limits = {
  readonly inbound: Partial<RelayLimits>;
  readonly outbound: Partial<RelayLimits>;
};

type Kind = 'count' | 'size' | 'time';
/** The bounds of a head stand among the others here. */
type Field = Exclude<keyof RelayLimits, 'head' | 'interim'> | Exclude<keyof HeadLimits, 'absoluteTarget'>;
type Limit = {
  readonly field: Field;
  readonly kind: Kind;
  readonly sides: readonly (keyof Limits)[];
  readonly least: number;
  readonly most: number;
  /** Whether it may be 0, which bounds nothing; of what waits it lets nothing wait. */
  readonly zero: boolean;
};

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const KIB = 1024;
const UNITS: Readonly<Record<Kind, Readonly<Record<string, number>>>> = {
  count: { '': 1 },
  size: { '': 1, k: KIB, m: KIB ** 2, g: KIB ** 3 },
  time: { ms: 1, s: SECOND, m: 60 * SECOND, h: HOUR },
};
const EXAMPLES: Readonly<Record<Kind, string>> = {
  count: 'is not a number such as 1000',
  size: 'is not a size such as 512, 64k, 10m or 1g',
  time: 'is not a time such as 500ms, 10s, 5m or 1h',
};

const INBOUND = ['inbound'] as const;
const OUTBOUND = ['outbound'] as const;
const BOTH = [...INBOUND, ...OUTBOUND] as const;
const count = (most = 1_000_000) => ({ kind: 'count', least: 1, most }) as const;
const size = (least: number, most: number) => ({ kind: 'size', least, most }) as const;
/** Deadlines are kept to a tenth of a second. */
const TIME = { kind: 'time', least: SECOND / 10, most: 168 * HOUR } as const;
const optional = { zero: true } as const;
const always = { zero: false } as const;

/** Every name there is. */
export const LIMITS: ReadonlyMap<string, Limit> = new Map<string, Limit>([
  ['connections', { field: 'connections', sides: BOTH, ...count(), ...optional }],
  ['connections-per-peer', { field: 'connectionsPerPeer', sides: INBOUND, ...count(), ...optional }],
  ['handshakes', { field: 'handshakes', sides: INBOUND, ...count(), ...optional }],
  ['handshake-time', { field: 'handshakeMs', sides: INBOUND, ...TIME, ...always }],
  // of a connection no more than this is held
  ['head', { field: 'headBytes', sides: BOTH, ...size(KIB, 64 * KIB), ...always }],
  ['fields', { field: 'fields', sides: BOTH, ...count(256), ...always }],
  ['target', { field: 'targetBytes', sides: BOTH, ...size(64, 64 * KIB), ...always }],
  ['body', { field: 'bodyBytes', sides: INBOUND, ...size(1, 1024 * KIB ** 3), ...optional }],
  ['head-time', { field: 'headMs', sides: BOTH, ...TIME, ...always }],
  ['idle-time', { field: 'idleMs', sides: BOTH, ...TIME, ...optional }],
  ['connect-time', { field: 'connectMs', sides: BOTH, ...TIME, ...always }],
  ['response-time', { field: 'responseMs', sides: BOTH, ...TIME, ...optional }],
  ['stall-time', { field: 'stallMs', sides: BOTH, ...TIME, ...optional }],
  ['whole-time', { field: 'wholeMs', sides: BOTH, ...TIME, ...optional }],
  ['ping-time', { field: 'pingMs', sides: BOTH, ...TIME, ...optional }],
  ['splice-idle-time', { field: 'spliceIdleMs', sides: BOTH, ...TIME, ...optional }],
  ['pool-idle-time', { field: 'poolIdleMs', sides: BOTH, ...TIME, ...optional }],
  ['pool-connections', { field: 'poolConnections', sides: OUTBOUND, ...count(), ...optional }],
  ['pool-waiting', { field: 'poolWaiting', sides: OUTBOUND, ...count(), ...optional }],
]);

/**
 * Reads `name=value` pairs, separated by white space.
 * @throws SettingError with every defect, by name where that is one of ours
 */
export function parseLimits(text: string): Limits {
  const defects: string[] = [];
  const given = new Map<string, number>();
  for (const [i, item] of text.trim().split(/\s+/).entries()) {
    const [, name = '', value = ''] = /^([^=]+)=([^=]+)$/.exec(item) ?? [];
    const limit = LIMITS.get(name);
    if (name === '') defects.push(`limit ${i + 1}: is not name=value, such as body=10m`);
    else if (limit === undefined)
      defects.push(`limit ${i + 1}: its name is none of ${[...LIMITS.keys()].join(', ')}`);
    else if (given.has(name)) defects.push(`${name}: is given twice`);
    else {
      const read = amount(limit, value);
      if (typeof read === 'string') defects.push(`${name}: ${read}`);
      given.set(name, typeof read === 'string' ? 0 : read);
    }
  }
  if (defects.length > 0) throw new SettingError(...defects);
  return { inbound: boundsOf(given, 'inbound'), outbound: boundsOf(given, 'outbound') };
}

/** @returns what is wrong as text */
function amount(limit: Limit, text: string): number | string {
  const { kind, least, most, zero } = limit;
  const [, digits = '', unit = ''] = /^(\d{1,15})([a-z]*)$/.exec(text) ?? [];
  const number = Number(digits);
  if (digits !== '' && unit === '' && number === 0 && zero) return 0;
  const scale = Object.hasOwn(UNITS[kind], unit) ? UNITS[kind][unit] : undefined;
  if (digits === '' || scale === undefined) return EXAMPLES[kind];
  const value = number * scale;
  if (value >= least && value <= most) return value;
  if (value === 0 && zero) return 0;
  return `is out of range (${rangeOf(limit)})`;
}

/** `0, 100ms to 168h` */
export function rangeOf({ kind, least, most, zero }: Omit<Limit, 'field' | 'sides'>): string {
  return `${zero ? '0, ' : ''}${shown(kind, least)} to ${shown(kind, most)}`;
}

function boundsOf(given: ReadonlyMap<string, number>, side: keyof Limits): Partial<RelayLimits> {
  const bounds: Record<string, number> = {};
  const head: Record<string, number> = {};
  for (const [name, value] of given) {
    const { field, sides } = LIMITS.get(name)!;
    if (sides.includes(side)) (field in HEAD_LIMITS ? head : bounds)[field] = value;
  }
  return Object.keys(head).length === 0 ? bounds : { ...bounds, head: { ...HEAD_LIMITS, ...head } };
}

/** In the largest unit that it is a whole number of. */
function shown(kind: Kind, value: number): string {
  const [unit, scale] = Object.entries(UNITS[kind]).findLast(([, each]) => value % each === 0)!;
  return `${value / scale}${unit}`;
}
