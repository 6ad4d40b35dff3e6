import type { Rotation } from '../audit/log-file.ts';
import { SettingError } from './values.ts';

/** Where audit records go: to at least one of three. */
export type AuditSinks = {
  readonly file: string | null;
  readonly stdout: boolean;
  readonly broker: boolean;
};

/** What is done when the broker has not taken records for so long that no more can wait for it. */
export type WhenFull = 'refuse' | 'drop';

export type AuditOptions = {
  readonly rotation: Rotation;
  /** Bytes of records that may wait for the broker. */
  readonly bufferBytes: number;
  /** Null: as the sinks are, `refuse` when the broker is the only one. */
  readonly whenFull: WhenFull | null;
};

export type AuditSettings = AuditSinks & AuditOptions;

const KIB = 1024;
const MINUTE = 60_000;
const SIZES: Readonly<Record<string, number>> = { '': 1, k: KIB, m: KIB ** 2, g: KIB ** 3 };
const TIMES: Readonly<Record<string, number>> = { m: MINUTE, h: 60 * MINUTE, d: 24 * 60 * MINUTE };

type Option = {
  readonly units: Readonly<Record<string, number>>;
  readonly least: number;
  readonly most: number;
  readonly range: string;
};

/** A file holds a few records of the longest kind at least, or it would be full when it is begun. */
const OPTIONS: Readonly<Record<'rotate-size' | 'rotate-age' | 'keep' | 'broker-buffer', Option>> = {
  'rotate-size': {
    units: SIZES,
    least: 256 * KIB,
    most: 1024 * KIB ** 3,
    range: 'a size from 256k to 1024g',
  },
  'rotate-age': { units: TIMES, least: MINUTE, most: 366 * TIMES['d']!, range: 'a time from 1m to 366d' },
  keep: { units: { '': 1 }, least: 1, most: 100_000, range: 'a number from 1 to 100000' },
  'broker-buffer': { units: SIZES, least: 256 * KIB, most: KIB ** 3, range: 'a size from 256k to 1g' },
};
const DEFAULT_BUFFER = 8 * KIB ** 2;

/**
 * Reads where records go: a file's path (or `file:` and the path), `-` and `broker`, each at most once, separated by white space.
 * @throws SettingError
 */
export function parseAuditSinks(text: string): AuditSinks {
  const sinks = { file: null as string | null, stdout: false, broker: false };
  const defects: string[] = [];
  for (const [i, word] of text.trim().split(/\s+/).entries()) {
    const path = word.startsWith('file:') ? word.slice('file:'.length) : word;
    const twice = `sink ${i + 1}: is the second of its kind (a path holds no white space)`;
    if (word === '-' || word === 'broker') {
      const name = word === '-' ? 'stdout' : 'broker';
      if (sinks[name]) defects.push(twice);
      sinks[name] = true;
    } else if (path === '') defects.push(`sink ${i + 1}: names no file`);
    else if (/\.\d{12}$/.test(path)) defects.push(`sink ${i + 1}: is named like a file that is full`);
    else if (sinks.file !== null) defects.push(twice);
    else sinks.file = path;
  }
  if (defects.length > 0) throw new SettingError(...defects);
  return sinks;
}

/**
 * Reads `name=value` pairs, separated by white space.
 * @throws SettingError with every defect
 */
export function parseAuditOptions(text: string): AuditOptions {
  const defects: string[] = [];
  const given = new Map<string, number>();
  let whenFull: WhenFull | null = null;
  for (const [i, item] of text.trim().split(/\s+/).entries()) {
    if (item === '') continue;
    const [, name = '', value = ''] = /^([^=]+)=([^=]+)$/.exec(item) ?? [];
    const option = Object.hasOwn(OPTIONS, name) ? OPTIONS[name as keyof typeof OPTIONS] : undefined;
    if (given.has(name)) defects.push(`${name}: is given twice`);
    else if (name === 'broker-full') {
      if (value === 'refuse' || value === 'drop') whenFull = value;
      else defects.push('broker-full: is not one of refuse, drop');
    } else if (option === undefined)
      defects.push(
        `option ${i + 1}: its name is none of ${[...Object.keys(OPTIONS), 'broker-full'].join(', ')}`,
      );
    else if (amount(option, value) === null) defects.push(`${name}: is not ${option.range}`);
    given.set(name, option === undefined ? 0 : (amount(option, value) ?? 0));
  }
  const [bytes, ageMs] = [given.get('rotate-size') ?? null, given.get('rotate-age') ?? null];
  const keep = given.get('keep') ?? null;
  if (keep !== null && bytes === null && ageMs === null)
    defects.push('keep: needs rotate-size or rotate-age');
  if (defects.length > 0) throw new SettingError(...defects);
  return {
    rotation: { bytes, ageMs, keep },
    bufferBytes: given.get('broker-buffer') ?? DEFAULT_BUFFER,
    whenFull,
  };
}

/** What the options need of the sinks. @returns what is wrong */
export function auditFlaw({ file, broker }: AuditSinks, { rotation, whenFull }: AuditOptions): string | null {
  const rotates = rotation.bytes !== null || rotation.ageMs !== null;
  if (rotates && file === null) return 'rotates a file, and SIGNET_AUDIT names none';
  if (whenFull !== null && !broker)
    return 'says what to do without the broker, and SIGNET_AUDIT does not name it';
  return null;
}

function amount({ units, least, most }: Option, text: string): number | null {
  const [, digits, unit = ''] = /^(\d{1,12})([a-z]?)$/.exec(text) ?? [];
  const scale = Object.hasOwn(units, unit) ? units[unit] : undefined;
  if (digits === undefined || scale === undefined) return null;
  const value = Number(digits) * scale;
  return value >= least && value <= most ? value : null;
}
