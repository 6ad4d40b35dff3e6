import { malformed } from './der.ts';

const MAX_PEM_CHARS = 1024 * 1024;
const BEGIN = '-----BEGIN CERTIFICATE-----';
const END = '-----END CERTIFICATE-----';
const BASE64_LINE = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * The certificates of a PEM text (RFC 7468), as Vault's `certificate` and `ca_chain` or a CA file hold them. Text between blocks is
 * passed over; a block of another label is not, so that nobody takes a private key's file for a CA file in silence.
 * @throws SvidError `SVID_MALFORMED` also when there is no certificate at all
 */
export function pemToDer(pem: string): Uint8Array[] {
  if (pem.length > MAX_PEM_CHARS) throw malformed('PEM text too long');
  const found: Uint8Array[] = [];
  let block: string | null = null;
  for (const raw of pem.split('\n')) {
    const line = raw.trim();
    if (block === null) {
      if (line === BEGIN) block = '';
      else if (line.startsWith('-----')) throw malformed('PEM block of another label');
    } else if (line === END) {
      found.push(fromBase64(block));
      block = null;
    } else if (BASE64_LINE.test(line)) block += line;
    else throw malformed('bad PEM block');
  }
  if (block !== null) throw malformed('PEM block without an end');
  if (found.length === 0) throw malformed('no certificate in PEM text');
  return found;
}

/** Base64 in its one canonical spelling. */
export function fromBase64(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === 0 || bytes.toString('base64') !== text) throw malformed('bad base64');
  return bytes;
}

/** RFC 7468: base64 in lines of 64, ending with a line break. */
export function toPem(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString('base64')
    .replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
