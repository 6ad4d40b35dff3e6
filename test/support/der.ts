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

/** The elements that stand one after another in `bytes`, which a sound writer made. */
function split(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at + 1]!;
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
    const length = lengthBytes === 0 ? first : bytes.readUIntBE(at + 2, lengthBytes);
    const end = at + 2 + lengthBytes + length;
    parts.push(bytes.subarray(at, end));
    at = end;
  }
  return parts;
}

/** The elements inside an element. */
export function inside(element: Buffer): Buffer[] {
  const first = element[1]!;
  return split(element.subarray(first < 0x80 ? 2 : 2 + (first & 0x7f)));
}

type Edit = (parts: Buffer[]) => readonly Uint8Array[];

/** Takes a certificate apart and puts it together again: its three parts, or the fields of its TBSCertificate. The signature is then wrong. */
export const editCertificate = {
  parts: (der: Buffer, edit: Edit): Buffer => tlv(0x30, ...edit(inside(der))),
  fields: (der: Buffer, edit: Edit): Buffer =>
    editCertificate.parts(der, ([tbs, ...rest]) => [tlv(0x30, ...edit(inside(tbs!))), ...rest]),
  /** 0 version, 1 serial, 2 algorithm, 3 issuer, 4 validity, 5 subject, 6 public key, 7 extensions. */
  field: (der: Buffer, index: number, edit: (field: Buffer) => Uint8Array): Buffer =>
    editCertificate.fields(der, (fields) => fields.with(index, Buffer.from(edit(fields[index]!)))),
};
