import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import { Certificate } from '@peculiar/asn1-x509';
import { MAX_CERTIFICATE_BYTES, readCertificate, SvidError } from '../../../lib/svid/index.ts';
import { type CertificateOptions, cRLSign, createCa, keyCertSign, type TestCa } from '../../support/ca.ts';
import { editCertificate, inside, seededRandom, tlv } from '../../support/der.ts';

const ID = 'spiffe://example.org/ns/shop/sa/web';
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('readCertificate', () => {
  let ca: TestCa;
  before(async () => {
    ca = await createCa();
  });

  for (const [what, options] of [
    ['an SVID', {}],
    ['a serial with its top bit set', { serial: 'f0a1b2' }],
    ['a serial of one byte', { serial: '07' }],
    ['a time after 2049', { notAfter: new Date('2050-01-01T00:00:00Z') }],
    ['a subject', { subject: 'CN=web, O=Acme' }],
    ['a CA with a path length', { ca: true, pathLength: 0, keyUsage: keyCertSign | cRLSign }],
    ['no extensions of use', { sans: null, keyUsage: null, extendedKeyUsage: null, basicConstraints: null }],
  ] as [string, CertificateOptions][]) {
    it(`reads what OpenSSL and asn1-x509 read: ${what}`, async () => {
      const { der, spkiDer } = await ca.leaf(ID, options);
      const ours = readCertificate(der);
      const openssl = new X509Certificate(der);
      const schema = AsnConvert.parse(der, Certificate).tbsCertificate;
      assert.equal(
        ours.serial.replaceAll(':', '').toUpperCase().replace(/^0+/, ''),
        openssl.serialNumber.replace(/^0+/, ''),
      );
      assert.match(ours.serial, /^[0-9a-f]{2}(:[0-9a-f]{2})*$/);
      assert.equal(ours.notBefore.getTime(), openssl.validFromDate.getTime());
      assert.equal(ours.notAfter.getTime(), openssl.validToDate.getTime());
      assert.equal(ours.isCa, openssl.ca);
      assert.equal(hex(ours.spkiDer), hex(spkiDer));
      assert.equal(ours.subjectEmpty, schema.subject.length === 0);
      assert.equal(hex(ours.issuerDer), hex(new Uint8Array(AsnConvert.serialize(schema.issuer))));
      assert.equal(ours.uriSans.map((uri) => `URI:${uri}`).join(), openssl.subjectAltName ?? '');
      assert.equal(ours.extendedKeyUsage?.join(), openssl.keyUsage?.join());
      assert.equal(ours.signatureAlgorithm, '1.2.840.10045.4.3.2');
    });
  }

  it('tells every kind of name apart', async () => {
    const { der } = await ca.leaf(ID, {
      sans: [
        { type: 'url', value: ID },
        { type: 'dns', value: 'web.example.org' },
        { type: 'email', value: 'a@example.org' },
        { type: 'ip', value: '127.0.0.1' },
        { type: 'dn', value: 'CN=x' },
        { type: 'id', value: '1.2.3' },
      ],
      sanCritical: false,
    });
    const { sans, sanCritical } = readCertificate(der);
    assert.deepEqual(sans, [
      { kind: 'uri', value: ID },
      { kind: 'dns', value: 'web.example.org' },
      { kind: 'email', value: 'a@example.org' },
      { kind: 'ip', value: '7f000001' },
      {
        kind: 'other',
        value: hex(sans[4] === undefined ? new Uint8Array() : Buffer.from(sans[4].value, 'hex')),
      },
      { kind: 'other', value: '2a03' },
    ]);
    assert.equal(sanCritical, false);
  });

  it('names critical extensions it does not process, and name constraints critical or not', async () => {
    const value = tlv(0x30);
    const { der } = await ca.leaf(ID, {
      extra: [
        { oid: '2.5.29.30', critical: false, value },
        { oid: '1.2.3.4', critical: false, value },
        { oid: '1.2.3.5', critical: true, value },
      ],
    });
    assert.deepEqual(readCertificate(der).unknownCritical, ['2.5.29.30', '1.2.3.5']);
  });

  it('refuses an extension that comes twice', async () => {
    const { der } = await ca.leaf(ID, {
      extra: [{ oid: '2.5.29.17', critical: true, value: tlv(0x30, tlv(0x86, 'spiffe://example.org/x')) }],
    });
    assert.throws(() => readCertificate(der), { code: 'SVID_MALFORMED', message: /2\.5\.29\.17 twice/ });
  });

  for (const [what, oid, value] of [
    ['a URI with a NUL', '2.5.29.17', tlv(0x30, tlv(0x86, 'spiffe://example.org/a\0'))],
    ['a URI with a line break', '2.5.29.17', tlv(0x30, tlv(0x86, 'spiffe://example.org/a\n'))],
    ['a URI that is not ASCII', '2.5.29.17', tlv(0x30, tlv(0x86, 'spiffe://example.org/\u00e4'))],
    ['a URI that is not UTF-8', '2.5.29.17', tlv(0x30, tlv(0x86, Buffer.from([0x73, 0xff])))],
    ['an empty URI', '2.5.29.17', tlv(0x30, tlv(0x86))],
    ['no name at all', '2.5.29.17', tlv(0x30)],
    ['a name of an unknown kind', '2.5.29.17', tlv(0x30, tlv(0x89, 'x'))],
    ['a URI in constructed form', '2.5.29.17', tlv(0x30, tlv(0xa6, tlv(0x16, 'spiffe://example.org/a')))],
    ['names that are not a sequence', '2.5.29.17', tlv(0x31, tlv(0x86, 'spiffe://example.org/a'))],
    [
      'bytes after the names',
      '2.5.29.17',
      Buffer.concat([tlv(0x30, tlv(0x86, 'spiffe://example.org/a')), Buffer.from([0])]),
    ],
    ['65 names', '2.5.29.17', tlv(0x30, ...Array.from({ length: 65 }, () => tlv(0x86, 'a')))],
    ['cA FALSE spelled out', '2.5.29.19', tlv(0x30, tlv(0x01, Buffer.from([0])))],
    ['cA TRUE as 0x01', '2.5.29.19', tlv(0x30, tlv(0x01, Buffer.from([1])))],
    ['a path length without cA', '2.5.29.19', tlv(0x30, tlv(0x02, Buffer.from([0])))],
    [
      'a negative path length',
      '2.5.29.19',
      tlv(0x30, tlv(0x01, Buffer.from([0xff])), tlv(0x02, Buffer.from([0x80]))),
    ],
    ['key usage with padding bits set', '2.5.29.15', tlv(0x03, Buffer.from([7, 0x81]))],
    ['key usage of eight unused bits', '2.5.29.15', tlv(0x03, Buffer.from([8, 0x80]))],
    ['key usage without a bit', '2.5.29.15', tlv(0x03, Buffer.from([1]))],
    [
      'a path length after a path length',
      '2.5.29.19',
      tlv(0x30, tlv(0x01, Buffer.from([0xff])), tlv(0x02, Buffer.from([0])), tlv(0x02, Buffer.from([0]))),
    ],
    [
      'a path length of two bytes',
      '2.5.29.19',
      tlv(0x30, tlv(0x01, Buffer.from([0xff])), tlv(0x02, Buffer.from([1, 1]))),
    ],
    ['an empty extended key usage', '2.5.29.37', tlv(0x30)],
    ['a padded object identifier', '2.5.29.37', tlv(0x30, tlv(0x06, Buffer.from([0x80, 0x2a])))],
    ['an object identifier cut off', '2.5.29.37', tlv(0x30, tlv(0x06, Buffer.from([0x2a, 0x86])))],
    [
      'nesting without end',
      '2.5.29.37',
      Array.from({ length: 40 }).reduce<Buffer>((inner) => tlv(0x30, inner), tlv(0x05)),
    ],
  ] as [string, string, Uint8Array][]) {
    it(`refuses ${what}`, async () => {
      const own = { sans: null, keyUsage: null, extendedKeyUsage: null, basicConstraints: null } as const;
      const { der } = await ca.leaf(ID, { ...own, extra: [{ oid, critical: true, value }] });
      assert.throws(() => readCertificate(der), { name: 'SvidError', code: 'SVID_MALFORMED' });
    });
  }

  it('reads a certificate without extensions as one that claims nothing', async () => {
    const der = editCertificate.fields(Buffer.from((await ca.leaf(ID)).der), (fields) => fields.slice(0, 7));
    const { sans, uriSans, sanCritical, isCa, basicConstraintsCritical, pathLength } = readCertificate(der);
    const { keyUsage, keyUsageCritical, extendedKeyUsage, subjectKeyId, authorityKeyId, unknownCritical } =
      readCertificate(der);
    assert.deepEqual([sans, uriSans, sanCritical], [[], [], false]);
    assert.deepEqual([isCa, basicConstraintsCritical, pathLength], [false, false, null]);
    assert.deepEqual([keyUsage, keyUsageCritical, extendedKeyUsage], [null, false, null]);
    assert.deepEqual([subjectKeyId, authorityKeyId, unknownCritical], [null, null, []]);
  });

  it('reads as much as is allowed: 64 extensions, 64 names, every printable character', async () => {
    const own = { keyUsage: null, extendedKeyUsage: null, basicConstraints: null } as const;
    const extra = Array.from({ length: 62 }, (_, i) => ({
      oid: `1.2.3.${i}`,
      critical: false,
      value: tlv(5),
    }));
    readCertificate((await ca.leaf(ID, { ...own, sans: null, extra })).der);
    const more = await ca.leaf(ID, {
      ...own,
      sans: null,
      extra: [...extra, { oid: '1.2.4', critical: false, value: tlv(5) }],
    });
    assert.throws(() => readCertificate(more.der), { code: 'SVID_MALFORMED' });
    const sans = Array.from({ length: 64 }, () => ({ type: 'url', value: 'a:!~' }) as const);
    assert.equal(readCertificate((await ca.leaf(ID, { sans })).der).uriSans.length, 64);
  });

  it('reads years as UTCTime means them', async () => {
    const year = (text: string) => {
      const times = (validity: Buffer) => tlv(0x30, tlv(0x17, text), inside(validity)[1]!);
      return readCertificate(editCertificate.field(leafDer, 4, times)).notBefore.toISOString();
    };
    const leafDer = Buffer.from((await ca.leaf(ID)).der);
    assert.equal(year('491231235959Z'), '2049-12-31T23:59:59.000Z');
    assert.equal(year('500101000000Z'), '1950-01-01T00:00:00.000Z');
  });

  const { parts, fields, field } = editCertificate;
  const serial = (hexText: string) => (der: Buffer) =>
    field(der, 1, () => tlv(2, Buffer.from(hexText, 'hex')));
  const notBefore = (tag: number, text: string) => (der: Buffer) =>
    field(der, 4, (validity) => tlv(0x30, tlv(tag, text), inside(validity)[1]!));
  const extension =
    (...content: Uint8Array[]) =>
    (der: Buffer) =>
      field(der, 7, () => tlv(0xa3, tlv(0x30, tlv(0x30, ...content))));
  const oid = tlv(6, Buffer.from([0x2a, 3]));

  // Edits of the structure: the signature is then wrong, which reading does not look at.
  for (const [what, edit] of [
    ['nothing', () => Buffer.alloc(0)],
    ['a byte after the end', (der) => Buffer.concat([der, Buffer.from([0])])],
    ['its last byte missing', (der) => der.subarray(0, -1)],
    ['two certificates', (der) => Buffer.concat([der, der])],
    ['a length that is not minimal', (der) => Buffer.concat([Buffer.from([0x30, 0x83, 0]), der.subarray(2)])],
    [
      'an indefinite length',
      (der) => Buffer.concat([Buffer.from([0x30, 0x80]), der.subarray(4), Buffer.from([0, 0])]),
    ],
    ['a set in place of a sequence', (der) => Buffer.concat([Buffer.from([0x31]), der.subarray(1)])],
    ['a fourth part', (der) => parts(der, (all) => [...all, tlv(5)])],
    ['no signature', (der) => parts(der, (all) => all.slice(0, 2))],
    ['a signature that is no bit string', (der) => parts(der, (all) => all.with(2, tlv(4, 'x')))],
    ['another algorithm outside than inside', (der) => parts(der, (all) => all.with(1, tlv(0x30, oid)))],
    ['no public key', (der) => fields(der, (all) => all.slice(0, 6))],
    [
      'an issuer unique identifier',
      (der) => fields(der, (all) => all.toSpliced(7, 0, tlv(0x81, Buffer.from([0, 1])))),
    ],
    ['a field after the extensions', (der) => fields(der, (all) => [...all, tlv(5)])],
    ['version 1', (der) => field(der, 0, () => tlv(0xa0, tlv(2, Buffer.from([0]))))],
    ['version 1 by leaving it out', (der) => fields(der, (all) => all.slice(1))],
    ['version 258', (der) => field(der, 0, () => tlv(0xa0, tlv(2, Buffer.from([2, 2]))))],
    [
      'two versions',
      (der) => field(der, 0, () => tlv(0xa0, tlv(2, Buffer.from([2])), tlv(2, Buffer.from([2])))),
    ],
    ['a padded serial', serial('00000107')],
    ['a negative serial', serial('87')],
    ['the most negative serial of one byte', serial('80')],
    ['the serial zero', serial('00')],
    ['a serial of 21 bytes', serial('11'.repeat(21))],
    ['an issuer that is a set', (der) => field(der, 3, () => tlv(0x31))],
    ['a subject that is text', (der) => field(der, 5, () => tlv(0x0c, 'x'))],
    ['a public key that is a bit string', (der) => field(der, 6, () => tlv(3, Buffer.from([0])))],
    ['one time only', (der) => field(der, 4, (validity) => tlv(0x30, inside(validity)[0]!))],
    [
      'three times',
      (der) => field(der, 4, (validity) => tlv(0x30, ...inside(validity), inside(validity)[0]!)),
    ],
    ['a month 13', notBefore(0x17, '261301000000Z')],
    ['31 February', notBefore(0x17, '260231000000Z')],
    ['hour 24', notBefore(0x17, '260101240000Z')],
    ['second 60', notBefore(0x17, '260101000060Z')],
    ['a time without seconds', notBefore(0x17, '2601010000Z')],
    ['a time with an offset', notBefore(0x17, '260101000000+0100')],
    ['a time of letters', notBefore(0x17, 'abcdefghijklZ')],
    ['GeneralizedTime before 2050', notBefore(0x18, '20260101000000Z')],
    ['GeneralizedTime with fractions', notBefore(0x18, '20510101000000.5Z')],
    ['a time that is a number', notBefore(2, '1')],
    ['empty extensions', (der) => field(der, 7, () => tlv(0xa3, tlv(0x30)))],
    ['extensions twice', (der) => field(der, 7, (all) => tlv(0xa3, ...inside(all), ...inside(all)))],
    ['extensions under another tag', (der) => field(der, 7, (all) => tlv(0xa2, ...inside(all)))],
    ['an extension without value', extension(oid)],
    ['an extension of four parts', extension(oid, tlv(1, Buffer.from([0xff])), tlv(4), tlv(5))],
    ['criticality FALSE spelled out', extension(oid, tlv(1, Buffer.from([0])), tlv(4))],
    ['criticality that is a number', extension(oid, tlv(2, Buffer.from([1])), tlv(4))],
    ['an extension value that is no octet string', extension(oid, tlv(5))],
  ] as [string, (der: Buffer) => Uint8Array][]) {
    it(`refuses ${what}`, async () => {
      const { der } = await ca.leaf(ID);
      assert.throws(() => readCertificate(edit(Buffer.from(der))), {
        name: 'SvidError',
        code: 'SVID_MALFORMED',
      });
    });
  }

  it('reads a serial of 20 bytes, whatever its top bit', async () => {
    const der = Buffer.from((await ca.leaf(ID)).der);
    assert.equal(readCertificate(serial('11'.repeat(20))(der)).serial, Array(20).fill('11').join(':'));
    assert.equal(readCertificate(serial(`00${'ff'.repeat(20)}`)(der)).serial, Array(20).fill('ff').join(':'));
  });

  it('refuses a certificate larger than any real one', () => {
    assert.throws(() => readCertificate(Buffer.alloc(MAX_CERTIFICATE_BYTES + 1)), { code: 'SVID_TOO_LARGE' });
    assert.throws(() => readCertificate(Buffer.alloc(MAX_CERTIFICATE_BYTES)), { code: 'SVID_MALFORMED' });
  });

  it('throws SvidError and nothing else on 20,000 damaged certificates, and agrees with OpenSSL on those it reads', async () => {
    const seeds = [
      (await ca.leaf(ID)).der,
      ca.der,
      (await ca.leaf(ID, { subject: 'CN=x', serial: '01' })).der,
    ];
    const random = seededRandom(20260711);
    let compared = 0;
    let refused = 0;
    const start = performance.now();
    for (let i = 0; i < 20_000; i++) {
      const bytes = Buffer.from(seeds[i % seeds.length]!);
      for (let edits = 1 + Math.floor(random() * 4); edits > 0; edits--) {
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      }
      const der = random() < 0.1 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes;
      const read = attempt(() => readCertificate(der));
      if (read instanceof Error) {
        assert.ok(read instanceof SvidError, `${read} for ${hex(der)}`);
        refused += 1;
        continue;
      }
      const openssl = attempt(() => new X509Certificate(der));
      if (openssl instanceof Error || !/^[\w:/. -]*$/.test(openssl.subjectAltName ?? '')) continue;
      assert.equal(
        read.uriSans.map((uri) => `URI:${uri}`).join(', '),
        openssl.subjectAltName ?? '',
        hex(der),
      );
      assert.ok(read.isCa || !openssl.ca, hex(der));
      compared += 1;
    }
    assert.ok(refused > 1_000 && compared > 1_000, `${refused} refused, ${compared} compared`);
    assert.ok(performance.now() - start < 15_000);
  });
});

function attempt<T>(run: () => T): T | Error {
  try {
    return run();
  } catch (error) {
    return error as Error;
  }
}
