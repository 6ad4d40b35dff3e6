import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import {
  type Bundle,
  checkLeaf,
  checkPeer,
  type LeafCheck,
  type PeerRules,
  pemToDer,
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
  p256Keys,
  SERVER_AUTH,
  type TestCa,
  type TestCertificate,
} from '../../support/ca.ts';
import { seededRandom, tlv } from '../../support/der.ts';

const ID = 'spiffe://example.org/ns/shop/sa/web';
const NOW = new Date('2026-06-01T12:00:00Z');
const at = (seconds: number) => new Date(NOW.getTime() + seconds * 1000);
const uri = (value: string) => ({ type: 'url', value }) as const;
const lasting = { notBefore: at(-30), notAfter: at(900) };
const years = { notBefore: at(-86_400), notAfter: at(86_400 * 3650) };
const bundleOf = (...authorities: TestCertificate[]): Bundle => ({
  trustDomain: 'example.org',
  sequence: 1,
  refreshHintSeconds: null,
  authorities: authorities.map((authority) => authority.der),
});

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

/** A check that passes unless the leaf or the chain is at fault. */
function leafCheck(
  leaf: TestCertificate,
  [root, ...intermediates]: [TestCertificate, ...TestCertificate[]],
): LeafCheck {
  return {
    chainDer: [leaf, ...intermediates].map((certificate) => certificate.der),
    bundle: bundleOf(root),
    expectedId: parseSpiffeId(ID),
    ownPublicKeySpkiDer: leaf.spkiDer,
    now: NOW,
    maxSkewMs: 0,
  };
}

describe('checkLeaf', () => {
  let root: TestCa;
  let issuing: TestCa;
  let leaf: TestCertificate;
  before(async () => {
    root = await createCa('example.org', years);
    issuing = await root.intermediate(years);
    leaf = await issuing.leaf(ID, lasting);
  });
  const refuses = (check: LeafCheck, code: SvidErrorCode) =>
    assert.throws(() => checkLeaf(check), { name: 'SvidError', code });

  it('accepts a sound chain and says what it holds', () => {
    const checked = checkLeaf(leafCheck(leaf, [root, issuing]));
    assert.equal(checked.id.toString(), ID);
    assert.deepEqual([checked.notBefore, checked.notAfter], [lasting.notBefore, lasting.notAfter]);
  });

  it('accepts what OpenSSL accepts, and the intermediates in any order, and the root among them', async () => {
    const second = await issuing.intermediate({ ...years, subject: 'CN=second issuing' });
    const deep = await second.leaf(ID, lasting);
    for (const chain of [
      [second, issuing],
      [issuing, second],
      [root, issuing, second],
    ]) {
      checkLeaf(leafCheck(deep, [root, ...chain]));
    }
    assert.equal(opensslVerifies(root, [second, issuing], deep), true);
  });

  it('accepts the CA itself as an authority of the bundle', () => {
    checkLeaf({ ...leafCheck(leaf, [root]), bundle: bundleOf(issuing) });
  });

  it('accepts a chain across the change of a CA key: two authorities of one name', async () => {
    const successor = await createCa('example.org', years);
    checkLeaf({ ...leafCheck(leaf, [root, issuing]), bundle: bundleOf(successor, root) });
  });

  it('refuses another ID than the granted one', () => {
    refuses({ ...leafCheck(leaf, [root, issuing]), expectedId: parseSpiffeId(`${ID}2`) }, 'SVID_WRONG_ID');
  });

  it("refuses another key than one's own", async () => {
    const other = await issuing.leaf(ID, lasting);
    refuses({ ...leafCheck(leaf, [root, issuing]), ownPublicKeySpkiDer: other.spkiDer }, 'SVID_WRONG_KEY');
  });

  it('refuses a subject', async () => {
    refuses(
      leafCheck(await issuing.leaf(ID, { ...lasting, subject: 'CN=web' }), [root, issuing]),
      'SVID_SUBJECT',
    );
  });

  it('refuses an empty bundle, an empty chain, a missing intermediate, a chain of nine', () => {
    refuses({ ...leafCheck(leaf, [root, issuing]), bundle: bundleOf() }, 'SVID_UNTRUSTED');
    refuses({ ...leafCheck(leaf, [root, issuing]), chainDer: [] }, 'SVID_UNTRUSTED');
    refuses(leafCheck(leaf, [root]), 'SVID_UNTRUSTED');
    refuses(leafCheck(leaf, [root, ...Array.from({ length: 8 }, () => issuing)]), 'SVID_UNTRUSTED');
  });

  for (const [what, options] of [
    ['is not a CA', { ca: false }],
    ['has no basic constraints', { basicConstraints: null }],
    ['may not sign certificates', { keyUsage: cRLSign }],
    ['has expired', { notAfter: NOW }],
    ['is not yet valid', { notBefore: at(1) }],
    ['is of another trust domain', { sans: [uri('spiffe://example.com')] }],
    ['is an SVID that may sign', { sans: [uri(ID)] }],
    ['has critical name constraints', { extra: [{ oid: '2.5.29.30', critical: true, value: tlv(0x30) }] }],
    ['was signed with SHA-1', { hash: 'SHA-1' }],
  ] as [string, CertificateOptions][]) {
    it(`refuses a chain whose intermediate ${what}`, async () => {
      const bad = await root.intermediate({ ...years, ...options });
      refuses(leafCheck(await bad.leaf(ID, lasting), [root, bad]), 'SVID_UNTRUSTED');
    });
  }

  it('refuses a chain longer than a path length allows, as OpenSSL does', async () => {
    const narrow = await root.intermediate({ ...years, subject: 'CN=narrow', pathLength: 0 });
    const below = await narrow.intermediate({ ...years, subject: 'CN=below' });
    checkLeaf(leafCheck(await narrow.leaf(ID, lasting), [root, narrow]));
    const deep = await below.leaf(ID, lasting);
    refuses(leafCheck(deep, [root, narrow, below]), 'SVID_UNTRUSTED');
    assert.equal(opensslVerifies(root, [narrow, below], deep), false);
  });

  it("refuses a leaf, an intermediate and a root signed by someone else in the CA's name", async () => {
    const forgedBy = await p256Keys();
    refuses(leafCheck(await issuing.leaf(ID, { ...lasting, forgedBy }), [root, issuing]), 'SVID_UNTRUSTED');
    const forged = await root.intermediate({ ...years, forgedBy });
    refuses(leafCheck(await forged.leaf(ID, lasting), [root, forged]), 'SVID_UNTRUSTED');
    const namesake = await createCa('example.org', { ...years, keys: forgedBy });
    refuses(leafCheck(await namesake.leaf(ID, lasting), [root, namesake]), 'SVID_UNTRUSTED');
  });

  it('refuses a leaf signed with SHA-1', async () => {
    refuses(
      leafCheck(await issuing.leaf(ID, { ...lasting, hash: 'SHA-1' }), [root, issuing]),
      'SVID_UNTRUSTED',
    );
  });

  it('refuses a leaf issued by a workload with its SVID', async () => {
    const workload = await issuing.intermediate({
      ...years,
      ca: false,
      keyUsage: digitalSignature,
      sans: [uri(ID)],
      subject: 'CN=w',
    });
    refuses(leafCheck(await workload.leaf(ID, lasting), [root, issuing, workload]), 'SVID_UNTRUSTED');
  });

  it('ends on a circle of intermediates that certify each other', async () => {
    const keys = await p256Keys();
    const [a, b] = ['CN=a', 'CN=b'];
    const ofA = await (await createCa('example.org', { ...years, subject: b })).intermediate({
      ...years,
      subject: a,
      keys,
    });
    const ofB = await ofA.intermediate({ ...years, subject: b });
    refuses(leafCheck(await ofA.leaf(ID, lasting), [root, ofA, ofB, issuing]), 'SVID_UNTRUSTED');
  });

  it('forgives clocks that differ: a CA and a leaf made 90 s in the future', async () => {
    const young = await root.intermediate({ ...years, notBefore: at(90) });
    const check = leafCheck(await young.leaf(ID, { notBefore: at(60), notAfter: at(900) }), [root, young]);
    refuses(check, 'SVID_NOT_YET_VALID');
    refuses({ ...check, maxSkewMs: 60_000 }, 'SVID_UNTRUSTED');
    checkLeaf({ ...check, maxSkewMs: 90_000 });
  });
});

describe('pemToDer', () => {
  it('reads every certificate of a text and passes over what lies between', async () => {
    const ca = await createCa();
    const leaf = await ca.leaf(ID);
    const read = pemToDer(`Issued by us:\r\n${leaf.pem.replaceAll('\n', '\r\n')}\nand\n${ca.pem}`);
    assert.deepEqual(
      read.map((der) => Buffer.from(der)),
      [leaf, ca].map(({ der }) => Buffer.from(der)),
    );
  });

  const begin = '-----BEGIN CERTIFICATE-----';
  const end = '-----END CERTIFICATE-----';
  for (const [what, text] of [
    ['nothing', ''],
    ['a private key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----'],
    ['a block without an end', `${begin}\nAAAA`],
    ['an empty block', `${begin}\n${end}`],
    ['another end', `${begin}\nAAAA\n-----END X509 CRL-----`],
    ['base64 that is not canonical', `${begin}\nAAB=\n${end}`],
    ['other letters', `${begin}\nAA-_\n${end}`],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(() => pemToDer(text), { name: 'SvidError', code: 'SVID_MALFORMED' });
    });
  }
});

/** OpenSSL's own judgement, at the same instant. */
function opensslVerifies(
  root: TestCertificate,
  intermediates: TestCertificate[],
  leaf: TestCertificate,
): boolean {
  const dir = mkdtempSync(join(tmpdir(), 'signet-chain-'));
  const file = (name: string, certificates: TestCertificate[]) => {
    writeFileSync(join(dir, name), certificates.map((certificate) => certificate.pem).join(''));
    return join(dir, name);
  };
  const args = ['verify', '-attime', String(NOW.getTime() / 1000), '-CAfile', file('root', [root])];
  try {
    execFileSync('openssl', [...args, '-untrusted', file('chain', intermediates), file('leaf', [leaf])], {
      stdio: 'pipe',
    });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(dir, { recursive: true });
  }
}
