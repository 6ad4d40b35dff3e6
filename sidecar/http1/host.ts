import { isIPv6 } from 'node:net';
import { COLON, HOST, LOWER } from './bytes.ts';

const OPEN = 0x5b;
const CLOSE = 0x5d;
const LONGEST_PORT = 5;

/**
 * Whether `[start, end)` is a host as `Host` may name it (RFC 9110 §7.2): a name, an IPv4 address or an IPv6 address in brackets, and a
 * port of digits if there is a colon. Where two readers could part the port from the host at two places, it is none. Names have no case:
 * made lower case where they stand, so that what is compared is what is forwarded.
 */
export function readHost(b: Buffer, start: number, end: number): boolean {
  let p = start;
  for (; p < end && HOST[b[p]!] === 1 && b[p] !== COLON && b[p] !== OPEN && b[p] !== CLOSE; p++)
    b[p] = LOWER[b[p]!]!;
  if (p === start) {
    p = addressEnd(b, start, end);
    if (p === -1) return false;
  }
  return p === end || (b[p] === COLON && isPort(b, p + 1, end));
}

/** The position after the bracketed address at `start`, -1 if there is none. */
function addressEnd(b: Buffer, start: number, end: number): number {
  if (b[start] !== OPEN) return -1;
  const close = b.indexOf(CLOSE, start);
  if (close === -1 || close >= end || !isIPv6(b.toString('latin1', start + 1, close))) return -1;
  for (let p = start; p < close; p++) b[p] = LOWER[b[p]!]!;
  return close + 1;
}

function isPort(b: Uint8Array, start: number, end: number): boolean {
  if (start === end || end - start > LONGEST_PORT) return false;
  for (let p = start; p < end; p++) if (b[p]! < 0x30 || b[p]! > 0x39) return false;
  return true;
}
