import assert from 'node:assert/strict';
import { readCertificate } from '../../../lib/svid/index.ts';
import { createCa } from '../../support/ca.ts';
import { editCertificate, tlv } from '../../support/der.ts';

const bytes = (hexText: string) => Buffer.from(hexText, 'hex');
const nested = (depth: number) =>
  Array.from({ length: depth }).reduce<Buffer>((inner) => tlv(0x30, inner), tlv(5));

/** X.690 §8, §10, §11, and RFC 5280's habit of using nothing else. An issuer's name may hold any elements, so it is where they are tried. */
const ELEMENTS: [verdict: 'reads' | 'refuses', what: string, element: Buffer][] = [
  ['reads', 'false', bytes('010100')],
  ['reads', 'true', bytes('0101ff')],
  ['refuses', 'true as 1', bytes('010101')],
  ['refuses', 'an empty boolean', bytes('0100')],
  ['refuses', 'a boolean of two bytes', bytes('0102ffff')],
  ['reads', 'zero', bytes('020100')],
  ['reads', '127, 128 and -128, -129', bytes('02017f0202008002018002 02ff7f'.replaceAll(' ', ''))],
  ['refuses', 'an empty integer', bytes('0200')],
  ['refuses', 'a padded positive integer', bytes('0202007f')],
  ['refuses', 'a padded negative integer', bytes('0202ff80')],
  ['refuses', 'a padded enumerated value', bytes('0a020001')],
  ['reads', 'an empty bit string', bytes('030100')],
  ['reads', 'one bit', bytes('03020780')],
  ['refuses', 'a bit string without its first byte', bytes('0300')],
  ['refuses', 'unused bits of nothing', bytes('030101')],
  ['refuses', 'eight unused bits', bytes('03020800')],
  ['refuses', 'unused bits that are set', bytes('03020181')],
  ['reads', 'null', bytes('0500')],
  ['refuses', 'null with content', bytes('050100')],
  ['reads', 'object identifiers', bytes('06022a0306032a864806038837 03'.replaceAll(' ', ''))],
  ['refuses', 'an empty object identifier', bytes('0600')],
  ['refuses', 'an object identifier that does not end', bytes('06022a86')],
  ['refuses', 'an object identifier with a padded first arc', bytes('0602802a')],
  ['refuses', 'an object identifier with a padded later arc', bytes('06032a8001')],
  ['reads', 'UTF-8', tlv(0x0c, 'ä€𝄞')],
  ['refuses', 'UTF-8 cut off', bytes('0c01c3')],
  ['refuses', 'UTF-8 of a surrogate', bytes('0c03eda080')],
  [
    'reads',
    'the string types of old names',
    Buffer.concat([0x12, 0x13, 0x14, 0x16, 0x1a, 0x1c, 0x1e, 4].map((tag) => tlv(tag, 'x'))),
  ],
  ['refuses', 'a real number', bytes('0900')],
  ['refuses', 'an octet string in pieces', tlv(0x24, tlv(4, 'x'))],
  ['refuses', 'UTF-8 in pieces', tlv(0x2c, tlv(0x0c, 'x'))],
  ['refuses', 'a primitive sequence', bytes('1000')],
  ['refuses', 'an application tag', bytes('4100')],
  ['refuses', 'a private tag', bytes('c100')],
  ['reads', 'a context tag', bytes('8100')],
  ['refuses', 'a tag in long form', bytes('1f0100')],
  ['refuses', 'a context tag in long form', bytes('9f0100')],
  [
    'reads',
    'content of 127, 128, 255 and 256 bytes',
    Buffer.concat([127, 128, 255, 256].map((n) => tlv(4, 'x'.repeat(n)))),
  ],
  ['refuses', 'a long length for 127 bytes', Buffer.concat([bytes('04817f'), Buffer.alloc(127)])],
  ['refuses', 'a length of two bytes for 255', Buffer.concat([bytes('048200ff'), Buffer.alloc(255)])],
  ['refuses', 'a length of three bytes', Buffer.concat([bytes('0483000100'), Buffer.alloc(256)])],
  ['refuses', 'an indefinite length', bytes('30800500 0000'.replaceAll(' ', ''))],
  ['refuses', 'a reserved length', bytes('04ff')],
  ['refuses', 'a tag without length', bytes('05')],
  ['refuses', 'a length cut off', bytes('0482')],
  ['refuses', 'content that reaches beyond its parent', bytes('040178'.replace('01', '02'))],
  ['reads', '13 sequences in one another', nested(13)],
  ['refuses', '14 sequences in one another, the outer three of a certificate around them', nested(14)],
  ['reads', '4,000 elements', Buffer.concat(Array.from({ length: 4_000 }, () => tlv(5)))],
  ['refuses', '4,100 elements', Buffer.concat(Array.from({ length: 4_100 }, () => tlv(5)))],
];

describe('strict DER', () => {
  let der: Buffer;
  before(async () => {
    der = Buffer.from((await (await createCa()).leaf('spiffe://example.org/a')).der);
  });

  for (const [verdict, what, element] of ELEMENTS) {
    it(`${verdict} ${what}`, () => {
      const edited = editCertificate.field(der, 3, () => tlv(0x30, element));
      if (verdict === 'reads') readCertificate(edited);
      else assert.throws(() => readCertificate(edited), { name: 'SvidError', code: 'SVID_MALFORMED' });
    });
  }

  for (const [verdict, what, value] of [
    ['reads', 'key identifier, issuer and serial', tlv(0x30, tlv(0x80, 'k'), tlv(0xa1), tlv(0x82, 's'))],
    ['refuses', 'anything else', tlv(0x30, tlv(0x83, 'x'))],
    ['refuses', 'a plain octet string', tlv(0x30, tlv(4, 'k'))],
  ] as const) {
    it(`${verdict} an authority key identifier of ${what}`, () => {
      const oid = tlv(6, Buffer.from([0x55, 0x1d, 0x23]));
      const edited = editCertificate.field(der, 7, () => tlv(0xa3, tlv(0x30, tlv(0x30, oid, tlv(4, value)))));
      if (verdict === 'reads') assert.equal(readCertificate(edited).authorityKeyId, '6b');
      else assert.throws(() => readCertificate(edited), { name: 'SvidError', code: 'SVID_MALFORMED' });
    });
  }
});
