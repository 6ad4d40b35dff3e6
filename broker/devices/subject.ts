import { childrenOf, oidText, parseDer, TAG } from '../../lib/svid/index.ts';

/** The attributes of a name that a claim may be taken from, by their usual abbreviations. */
export const ATTRIBUTES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.12': 'title',
};

const STRINGS: ReadonlySet<number> = new Set([TAG.utf8String, 0x13, 0x16]);
const PLAIN = /^[\x20-\x7e]{1,256}$/;

/**
 * What a distinguished name says, by attribute. An attribute that stands there twice, or whose value is other than printable ASCII, says
 * nothing: of two readers each could take another.
 * @throws SvidError
 */
export function readSubject(subjectDer: Uint8Array): ReadonlyMap<string, string> {
  const found = new Map<string, string | undefined>();
  for (const set of childrenOf(parseDer(subjectDer), TAG.sequence, 'subject')) {
    for (const pair of childrenOf(set, TAG.set, 'subject')) {
      const [type, value, ...more] = childrenOf(pair, TAG.sequence, 'subject');
      const name = type?.tag === TAG.oid ? ATTRIBUTES[oidText(type.content)] : undefined;
      if (name === undefined) continue;
      const text =
        value && more.length === 0 && STRINGS.has(value.tag)
          ? Buffer.from(value.content).toString('latin1')
          : '';
      found.set(name, !found.has(name) && PLAIN.test(text) ? text : undefined);
    }
  }
  return new Map(Array.from(found).filter((each): each is [string, string] => each[1] !== undefined));
}
