/** One DER element: tag, minimal length, the parts one after another. */
export function tlv(tag: number, ...parts: readonly (string | Uint8Array)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
  const { length } = content;
  const head =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), content]);
}

/** mulberry32: the same numbers for the same seed, in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Splits the outer two levels of a certificate, which have lengths of two bytes (`30 82 xx xx`), and puts them together again. */
function rebuild(der: Buffer, edit: (fields: Buffer) => Buffer): Buffer {
  const tbsLength = der.readUInt16BE(6);
  const fields = der.subarray(8, 8 + tbsLength);
  return tlv(0x30, tlv(0x30, edit(fields)), der.subarray(8 + tbsLength));
}

function swap(bytes: Buffer, at: number, before: Buffer, after: Buffer): Buffer {
  if (at === -1) throw new Error(`nothing to replace: ${before.toString('hex')}`);
  return Buffer.concat([bytes.subarray(0, at), after, bytes.subarray(at + before.length)]);
}

const TIME = new Date('2026-01-01T00:00:00Z');

/** Damages to a certificate that was made with the serial 0107 and `notBefore` of `TIME`. */
export const derEdit = {
  TIME,
  padLength: (der: Buffer) => Buffer.concat([Buffer.from([0x30, 0x83, 0]), der.subarray(2)]),
  indefinite: (der: Buffer) =>
    Buffer.concat([Buffer.from([0x30, 0x80]), der.subarray(4), Buffer.from([0, 0])]),
  replace(der: Buffer, before: string, after: string): Buffer {
    const find = Buffer.from(before, 'hex');
    return swap(der, der.indexOf(find), find, Buffer.from(after, 'hex'));
  },
  lastReplace(der: Buffer, before: string, after: string): Buffer {
    const find = Buffer.from(before, 'hex');
    return swap(der, der.lastIndexOf(find), find, Buffer.from(after, 'hex'));
  },
  replaceSerial(der: Buffer, serial: string): Buffer {
    const before = Buffer.from('02020107', 'hex');
    return rebuild(der, (fields) =>
      swap(fields, fields.indexOf(before), before, tlv(2, Buffer.from(serial, 'hex'))),
    );
  },
  replaceTime(der: Buffer, time: string): Buffer {
    const before = tlv(0x17, '260101000000Z');
    return rebuild(der, (fields) => swap(fields, fields.indexOf(before), before, tlv(0x17, time)));
  },
};
