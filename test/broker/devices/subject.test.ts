import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { readClaims } from '../../../broker/devices/claims.ts';
import { readSubject } from '../../../broker/devices/subject.ts';
import { type CertificateInfo, SvidError } from '../../../lib/svid/index.ts';
import { seededRandom, tlv } from '../../support/der.ts';
import { deviceUri } from '../../support/device-ca.ts';

const OID = { CN: '550403', serialNumber: '550405', OU: '55040b', mail: '2a864886f70d010901' };
const UTF8 = 0x0c;
const PRINTABLE = 0x13;
type Pair = readonly [name: keyof typeof OID, value: string | Uint8Array, tag?: number];
const pair = ([name, value, tag = UTF8]: Pair) =>
  tlv(0x30, tlv(0x06, Buffer.from(OID[name], 'hex')), tlv(tag, Buffer.from(value as string)));
/** Each argument is one relative name, of one pair or several. */
const nameOf = (...parts: readonly (readonly Pair[])[]) =>
  tlv(0x30, ...parts.map((pairs) => tlv(0x31, ...pairs.map(pair))));

describe('what a subject says of a device', () => {
  const cases: [string, Buffer, object][] = [
    ['nothing', nameOf(), {}],
    ['a name', nameOf([['CN', 'cam-1']]), { CN: 'cam-1' }],
    ['several', nameOf([['OU', 'camera', PRINTABLE]], [['CN', 'cam-1']]), { OU: 'camera', CN: 'cam-1' }],
    [
      'several in one',
      nameOf([
        ['OU', 'camera'],
        ['serialNumber', 's-1'],
      ]),
      { OU: 'camera', serialNumber: 's-1' },
    ],
    ['what is not asked for', nameOf([['mail', 'a@b', 0x16]], [['CN', 'x']]), { CN: 'x' }],
    ['one name twice', nameOf([['CN', 'a']], [['CN', 'b']]), {}],
    ['one name thrice', nameOf([['CN', 'a']], [['CN', 'b']], [['CN', 'a']]), {}],
    ['no ASCII', nameOf([['CN', 'caméra']]), {}],
    ['a line break', nameOf([['CN', 'a\nb']]), {}],
    ['an empty name', nameOf([['CN', '']]), {}],
    ['a long name', nameOf([['CN', 'x'.repeat(257)]]), {}],
    ['a string of two bytes each', nameOf([['CN', '\0a', 0x1e]]), {}],
  ];
  for (const [what, der, wanted] of cases)
    it(`that holds ${what}`, () => {
      assert.deepEqual(Object.fromEntries(readSubject(der)), wanted);
    });
  it('is read or refused, whatever its bytes are', () => {
    const whole = nameOf(
      [
        ['OU', 'camera'],
        ['serialNumber', 's-1'],
      ],
      [['CN', 'cam-1']],
    );
    const random = seededRandom(3);
    const seen = { read: 0, refused: 0 };
    for (let i = 0; i < 10_000; i++) {
      const bytes = Buffer.from(whole);
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      try {
        for (const value of readSubject(bytes).values()) assert.match(value, /^[\x20-\x7e]+$/);
        seen.read++;
      } catch (error) {
        assert.ok(error instanceof SvidError, String(error));
        seen.refused++;
      }
    }
    assert.ok(seen.read > 500 && seen.refused > 500, JSON.stringify(seen));
  });
});

describe('what kind of device a certificate is for', () => {
  const camera = deviceUri({ type: 'camera', version: '2', id: 's-1' });
  const claimsOf = (uriSans: string[], claims = {}, subjectDer: Uint8Array = nameOf([['OU', 'meter']])) =>
    readClaims({ uriSans, subjectDer } as unknown as CertificateInfo, { tenants: [], crls: null, claims });
  it('is of the one URI that says so', () => {
    const wanted = { 'device-type': 'camera', ver: '2', ins: 's-1' };
    assert.deepEqual(claimsOf([camera]), wanted);
    assert.deepEqual(claimsOf(['https://acme.example/', camera]), wanted);
  });
  it('is of none where two say so, or none', () => {
    assert.deepEqual(claimsOf([camera, camera.replace('s-1', 's-2')]), {});
    for (const uri of [
      'urn:x',
      `${camera}/more`,
      `${camera}?x`,
      camera.replace('/ver/2', ''),
      camera.replace('s-1', ''),
    ])
      assert.deepEqual(claimsOf([uri]), {}, uri);
  });
  it('is of the subject where the manufacturer says so, and then of nothing else', () => {
    assert.deepEqual(claimsOf([camera], { 'device-type': 'OU' }), {
      'device-type': 'meter',
      ver: '2',
      ins: 's-1',
    });
    assert.deepEqual(claimsOf([camera], { ins: 'serialNumber' }), { 'device-type': 'camera', ver: '2' });
  });
});
