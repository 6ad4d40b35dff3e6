import { type DerNode, malformed, TAG } from './der.ts';

const UTC_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/**
 * A certificate's time, RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050, to the second, in UTC.
 * @throws SvidError `SVID_MALFORMED`
 */
export function readTime(node: DerNode | undefined): Date {
  if (node === undefined || (node.tag !== TAG.utcTime && node.tag !== TAG.generalizedTime)) {
    throw malformed('bad time');
  }
  const short = node.tag === TAG.utcTime;
  const text = String.fromCharCode(...node.content.subarray(0, 20));
  const parts = (short ? UTC_TIME : GENERALIZED_TIME).exec(text)?.slice(1).map(Number);
  if (parts === undefined) throw malformed('bad time');
  const [written = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  const year = short ? written + (written < 50 ? 2000 : 1900) : written;
  if (!short && year < 2050) throw malformed('GeneralizedTime before 2050');
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  // Date.UTC carries over: 31 February becomes March, so compare what came out with what went in.
  const kept =
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second;
  if (!kept) throw malformed('no such time');
  return date;
}
