import { Decimal } from '../values.ts';

const DECIMAL = /^([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d{1,9}))?$/;
/** Terraform's numbers have 512 bits, which are 155 digits; their zeros may be more. */
const LONGEST = 4096;

/** A number that came as text, to the last digit. Undefined when it is none. */
export function numberOf(text: string): number | bigint | Decimal | undefined {
  const exact = text.length <= LONGEST ? normal(text) : undefined;
  if (exact === undefined) return undefined;
  if (/^[+-]?\d+$/.test(text)) {
    const whole = BigInt(text.replace(/^\+/, ''));
    return Number.isSafeInteger(Number(whole)) ? Number(whole) : whole;
  }
  const near = Number(text);
  return normal(String(near)) === exact ? near : new Decimal(text);
}

/** The same text for the same number, however it is written. Undefined when it is none. */
export function normal(text: string): string | undefined {
  const match = DECIMAL.exec(text);
  if (!match) return undefined;
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const kept = digits.replace(/0+$/, '');
  if (kept === '') return '0';
  const scale = Number(exponent) - fraction.length + (digits.length - kept.length);
  return `${sign === '-' ? '-' : ''}${kept}e${scale}`;
}
