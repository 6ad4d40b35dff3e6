import { isIP } from 'node:net';

/** Addresses whose first `bits` agree with `words`: eight of 16 bits, an IPv4 address as IPv6 has it (`::ffff:a.b.c.d`). */
export type Network = { readonly words: readonly number[]; readonly bits: number };

const MAPPED_BITS = 96;
const BITS = /^(?:0|[1-9]\d{0,2})$/;

/** Reads `10.0.0.0/8`, `fd00::/8` or one address. Null when it is none, or has bits set below its prefix: then one of the two is a mistake. */
export function parseNetwork(text: string): Network | null {
  const [address = '', length, ...more] = text.split('/');
  const family = isIP(address);
  if (family === 0 || address.includes('%') || more.length > 0) return null;
  if (length !== undefined && !BITS.test(length)) return null;
  const width = family === 4 ? 32 : 128;
  const own = length === undefined ? width : Number(length);
  if (own > width) return null;
  const words = new Uint16Array(8);
  if (!readAddress(address, words)) return null;
  const network = { words: [...words], bits: family === 4 ? own + MAPPED_BITS : own };
  return words.every((word, i) => (word & ~maskOf(network.bits, i)) === 0) ? network : null;
}

/** One for all: a comparison is over before the next one begins. */
const scratch = new Uint16Array(8);

/** Whether the address lies in one of the networks; null when the text is no address. */
export function isWithin(networks: readonly Network[], address: string): boolean | null {
  if (!readAddress(address, scratch)) return null;
  const ipv4 = isMapped(scratch);
  // `::/0` is every IPv6 address and no IPv4 one.
  for (const network of networks) if (!(ipv4 && network.bits < MAPPED_BITS) && contains(network)) return true;
  return false;
}

function isMapped(words: Uint16Array): boolean {
  return (
    words[5] === 0xffff &&
    words[0] === 0 &&
    words[1] === 0 &&
    words[2] === 0 &&
    words[3] === 0 &&
    words[4] === 0
  );
}

function contains({ words, bits }: Network): boolean {
  for (let i = 0; i * 16 < bits; i++) {
    if (((scratch[i]! ^ words[i]!) & maskOf(bits, i)) !== 0) return false;
  }
  return true;
}

/** The bits of word `i` that belong to a prefix of `bits`. */
function maskOf(bits: number, i: number): number {
  const own = Math.min(16, Math.max(0, bits - i * 16));
  return (0xffff << (16 - own)) & 0xffff;
}

/** Reads an address as a kernel prints it, into eight words. */
function readAddress(text: string, into: Uint16Array): boolean {
  into.fill(0);
  if (!text.includes(':')) {
    into[5] = 0xffff;
    return readIpv4(text, 0, into, 6);
  }
  const zone = text.indexOf('%');
  const end = zone === -1 ? text.length : zone;
  let word = 0;
  let gap = -1;
  let at = 0;
  while (at < end) {
    if (text[at] === ':') {
      if (text[at + 1] === ':' && gap === -1) {
        gap = word;
        at += 2;
        continue;
      }
      if (at === 0 || word === 0 || text[at + 1] === ':' || at + 1 === end) return false;
      at += 1;
    }
    const colon = text.indexOf(':', at);
    const stop = colon === -1 || colon > end ? end : colon;
    const dot = text.indexOf('.', at);
    if (dot !== -1 && dot < stop) {
      if (word > 6 || stop !== end || !readIpv4(text.slice(0, end), at, into, word)) return false;
      word += 2;
      at = end;
      break;
    }
    const value = hexOf(text, at, stop);
    if (value === -1 || word > 7) return false;
    into[word++] = value;
    at = stop;
  }
  if (gap === -1) return word === 8;
  if (word > 7) return false;
  into.copyWithin(8 - (word - gap), gap, word);
  into.fill(0, gap, 8 - (word - gap));
  return true;
}

function readIpv4(text: string, from: number, into: Uint16Array, word: number): boolean {
  let at = from;
  for (let i = 0; i < 4; i++) {
    let value = 0;
    const start = at;
    for (; at < text.length && at < start + 3; at++) {
      const digit = text.charCodeAt(at) - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    if (at === start || value > 255) return false;
    if (i < 3 && text[at++] !== '.') return false;
    const index = word + (i >> 1);
    into[index] = i % 2 === 0 ? value << 8 : into[index]! | value;
  }
  return at === text.length;
}

function hexOf(text: string, from: number, to: number): number {
  if (to === from || to - from > 4) return -1;
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = '0123456789abcdef'.indexOf(text[at]!.toLowerCase());
    if (digit === -1) return -1;
    value = value * 16 + digit;
  }
  return value;
}
