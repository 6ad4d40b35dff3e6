import assert from 'node:assert/strict';
import {
  checkLeaf,
  checkPeer,
  type PeerRules,
  SvidError,
  type SvidErrorCode,
} from '../../../lib/svid/index.ts';
import {
  type CertificateOptions,
  CLIENT_AUTH,
  cRLSign,
  createCa,
  digitalSignature,
  keyCertSign,
  SERVER_AUTH,
  type TestCa,
} from '../../support/ca.ts';
import { seededRandom, tlv } from '../../support/der.ts';
import { at, ID, lasting, leafCheck, NOW, uri, years } from './leaf-check.ts';

/** What any verifier must refuse in a leaf: defect, certificate, code. Both checks refuse each. */
const DEFECTS: [string, CertificateOptions, SvidErrorCode][] = [
  ['no SAN', { sans: null }, 'SVID_NO_URI_SAN'],
  ['no URI SAN', { sans: [{ type: 'dns', value: 'web' }] }, 'SVID_NO_URI_SAN'],
  ['the URI twice', { sans: [uri(ID), uri(ID)] }, 'SVID_MANY_URI_SANS'],
  ['a second URI', { sans: [uri(ID), uri('https://example.org/')] }, 'SVID_MANY_URI_SANS'],
  ['a DNS name beside', { sans: [uri(ID), { type: 'dns', value: 'web' }] }, 'SVID_OTHER_SAN'],
  ['an IP address beside', { sans: [{ type: 'ip', value: '127.0.0.1' }, uri(ID)] }, 'SVID_OTHER_SAN'],
  [
    'an e-mail address beside',
    { sans: [uri(ID), { type: 'email', value: 'a@example.org' }] },
    'SVID_OTHER_SAN',
  ],
  ['a directory name beside', { sans: [uri(ID), { type: 'dn', value: 'CN=x' }] }, 'SVID_OTHER_SAN'],
  ['another scheme', { sans: [uri('https://example.org/ns/shop/sa/web')] }, 'SVID_BAD_ID'],
  ['no path', { sans: [uri('spiffe://example.org')] }, 'SVID_BAD_ID'],
  ['the root path', { sans: [uri('spiffe://example.org/')] }, 'SVID_BAD_ID'],
  ['a trailing slash', { sans: [uri(`${ID}/`)] }, 'SVID_BAD_ID'],
  ['a query', { sans: [uri(`${ID}?x`)] }, 'SVID_BAD_ID'],
  ['a percent', { sans: [uri('spiffe://example.org/ns/shop/sa/w%65b')] }, 'SVID_BAD_ID'],
  ['dot segments', { sans: [uri('spiffe://example.org/ns/shop/sa/../sa/web')] }, 'SVID_BAD_ID'],
  ['upper case', { sans: [uri('spiffe://example.org/ns/Shop/sa/web')] }, 'SVID_BAD_ID'],
  ['a port', { sans: [uri('spiffe://example.org:443/ns/shop/sa/web')] }, 'SVID_BAD_ID'],
  ['another trust domain', { sans: [uri('spiffe://example.com/ns/shop/sa/web')] }, 'SVID_WRONG_TRUST_DOMAIN'],
  [
    'a trust domain that only starts alike',
    { sans: [uri('spiffe://example.org.evil/ns/shop/sa/web')] },
    'SVID_WRONG_TRUST_DOMAIN',
  ],
  ['cA', { ca: true }, 'SVID_IS_CA'],
  ['no key usage', { keyUsage: null }, 'SVID_KEY_USAGE'],
  ['key usage not critical', { keyUsageCritical: false }, 'SVID_KEY_USAGE'],
  ['no digitalSignature', { keyUsage: 16 }, 'SVID_KEY_USAGE'],
  ['keyCertSign', { keyUsage: digitalSignature | keyCertSign }, 'SVID_KEY_USAGE'],
  ['cRLSign', { keyUsage: digitalSignature | cRLSign }, 'SVID_KEY_USAGE'],
  ['no extended key usage', { extendedKeyUsage: null }, 'SVID_EXTENDED_KEY_USAGE'],
  ['server only', { extendedKeyUsage: [SERVER_AUTH] }, 'SVID_EXTENDED_KEY_USAGE'],
  ['client only', { extendedKeyUsage: [CLIENT_AUTH] }, 'SVID_EXTENDED_KEY_USAGE'],
  ['no subject and the SAN not critical', { sanCritical: false }, 'SVID_SAN_NOT_CRITICAL'],
  [
    'a critical extension nobody knows',
    { extra: [{ oid: '1.2.3.4', critical: true, value: tlv(5) }] },
    'SVID_UNKNOWN_CRITICAL',
  ],
  ['not yet valid', { notBefore: at(1) }, 'SVID_NOT_YET_VALID'],
  ['expired this very second', { notAfter: NOW }, 'SVID_EXPIRED'],
];

describe('what both ends check of a leaf', () => {
  let ca: TestCa;
  before(async () => {
    ca = await createCa('example.org', years);
  });

  for (const [what, options, code] of DEFECTS) {
    it(`refuses ${what}: ${code}`, async () => {
      const leaf = await ca.leaf(ID, { ...lasting, ...options });
      assert.throws(() => checkPeer(leaf.der, { trustDomain: 'example.org', now: NOW }), {
        name: 'SvidError',
        code,
      });
      assert.throws(() => checkLeaf(leafCheck(leaf, [ca])), { name: 'SvidError', code });
    });
  }

  for (const [what, options, rules] of [
    ['a sound SVID', {}, {}],
    ['a subject, then the SAN need not be critical', { subject: 'CN=web', sanCritical: false }, {}],
    ['notBefore ahead by no more than the skew', { notBefore: at(90) }, { maxSkewMs: 90_000 }],
    [
      'host names of the broker, when told to',
      { sans: [uri(ID), { type: 'dns', value: 'web' }] },
      { otherSans: 'allow' },
    ],
    [
      'a non-critical extension nobody knows',
      { extra: [{ oid: '1.2.3.4', critical: false, value: tlv(5) }] },
      {},
    ],
  ] as [string, CertificateOptions, Partial<PeerRules>][]) {
    it(`checkPeer accepts ${what}`, async () => {
      const leaf = await ca.leaf(ID, { ...lasting, serial: '0a0b', ...options });
      const peer = checkPeer(leaf.der, { trustDomain: 'example.org', now: NOW, ...rules });
      assert.deepEqual([peer.id.toString(), peer.serial, peer.notAfter], [ID, '0a:0b', lasting.notAfter]);
    });
  }

  for (const [what, options, rules, code] of [
    [
      'notBefore ahead by more than the skew',
      { notBefore: at(91) },
      { maxSkewMs: 90_000 },
      'SVID_NOT_YET_VALID',
    ],
    ['expired within the skew', { notAfter: at(-1) }, { maxSkewMs: 90_000 }, 'SVID_EXPIRED'],
    [
      'two URIs even where host names are allowed',
      { sans: [uri(ID), uri(ID)] },
      { otherSans: 'allow' },
      'SVID_MANY_URI_SANS',
    ],
  ] as [string, CertificateOptions, Partial<PeerRules>, SvidErrorCode][]) {
    it(`checkPeer refuses ${what}`, async () => {
      const leaf = await ca.leaf(ID, { ...lasting, notBefore: at(-60), ...options });
      assert.throws(() => checkPeer(leaf.der, { trustDomain: 'example.org', now: NOW, ...rules }), { code });
    });
  }

  it('checkPeer throws SvidError and nothing else on 5,000 damaged leaves', async () => {
    const { der } = await ca.leaf(ID, lasting);
    const random = seededRandom(7);
    for (let i = 0; i < 5_000; i++) {
      const bytes = Buffer.from(der);
      bytes[Math.floor(random() * bytes.length)]! ^= 1 << Math.floor(random() * 8);
      try {
        checkPeer(bytes, { trustDomain: 'example.org', now: NOW });
      } catch (error) {
        assert.ok(error instanceof SvidError, `${error}`);
      }
    }
  });
});
