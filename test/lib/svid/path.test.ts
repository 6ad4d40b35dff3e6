import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { checkLeaf, type LeafCheck, type SvidErrorCode } from '../../../lib/svid/index.ts';
import {
  type CertificateOptions,
  cRLSign,
  createCa,
  digitalSignature,
  p256Keys,
  type TestCa,
  type TestCertificate,
} from '../../support/ca.ts';
import { tlv } from '../../support/der.ts';
import { at, bundleOf, ID, lasting, leafCheck, NOW, uri, years } from './leaf-check.ts';

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

  it('accepts a chain of eight', () => {
    checkLeaf(leafCheck(leaf, [root, ...Array.from({ length: 7 }, () => issuing)]));
  });

  it('refuses an issuer of another name, though its key signed', async () => {
    const renamed = await root.intermediate({ ...years, subject: 'CN=renamed', keys: issuing.keys });
    refuses(leafCheck(leaf, [root, renamed]), 'SVID_UNTRUSTED');
  });

  it('says why the nearest issuer did not do', async () => {
    const expired = await root.intermediate({ ...years, notAfter: NOW });
    const check = leafCheck(await expired.leaf(ID, lasting), [root, expired]);
    assert.throws(() => checkLeaf(check), /outside its validity/);
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
