import type { Place } from './defect.ts';
import { oneOf } from './defect.ts';
import { list, type Operator } from './operators.ts';
import { DAYS, isTimeZone } from './time-window.ts';

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const CLOCK = /^(?:[01]\d|2[0-3]):[0-5]\d$/;
const ZONE = /^[A-Za-z][A-Za-z0-9_+-]{0,31}(?:\/[A-Za-z0-9_+-]{1,32}){0,2}$/;
const MEMBERS = ['from', 'to', 'days', 'zone'];
const EXPECTED = 'an object with "from" and "to", "days" or both, and perhaps "zone"';

/** `before` (without the instant itself) and `after` (with it). */
export function instant(operator: 'before' | 'after'): Operator {
  return (operand, place) => {
    const ms = typeof operand === 'string' && INSTANT.test(operand) ? Date.parse(operand) : Number.NaN;
    // 30 February would become a day in March
    const sound =
      Number.isFinite(ms) && new Date(ms).toISOString().slice(0, 19) === String(operand).slice(0, 19);
    return sound
      ? { operator, instant: ms }
      : place.refuse(operand, 'an instant such as "2026-12-24T18:00:00Z"');
  };
}

export const between: Operator = (operand, place) => {
  if (typeof operand !== 'object' || operand === null || Array.isArray(operand))
    return place.refuse(operand, EXPECTED);
  for (const key of Object.keys(operand)) {
    if (!MEMBERS.includes(key)) return place.at(key).refuse(key, oneOf(MEMBERS));
  }
  const given = operand as Record<string, unknown>;
  const has = (key: string) => Object.hasOwn(given, key);
  if (has('from') !== has('to') || (!has('from') && !has('days'))) return place.refuse(operand, EXPECTED);
  const from = has('from') ? minutes(given['from'], place.at('from')) : 0;
  const to = has('to') ? minutes(given['to'], place.at('to')) : 0;
  const days = has('days') ? list(given['days'], place.at('days'), weekday) : DAYS.map((_, i) => i);
  const zone = has('zone') ? timeZone(given['zone'], place.at('zone')) : 'UTC';
  if (from === null || to === null || days === null || zone === null) return null;
  return { operator: 'between', window: { zone, from, to, days: [...new Set(days)].sort() } };
};

function minutes(value: unknown, place: Place): number | null {
  if (typeof value !== 'string' || !CLOCK.test(value))
    return place.refuse(value, 'a time of day such as "08:30"');
  return Number(value.slice(0, 2)) * 60 + Number(value.slice(3));
}

function weekday(value: unknown, place: Place): number | null {
  const day = (DAYS as readonly unknown[]).indexOf(value);
  return day === -1 ? place.refuse(value, oneOf(DAYS)) : day;
}

function timeZone(value: unknown, place: Place): string | null {
  if (typeof value === 'string' && ZONE.test(value) && isTimeZone(value)) return value;
  return place.refuse(value, 'a time zone such as "UTC" or "Europe/Berlin"');
}
