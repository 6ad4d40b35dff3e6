import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, KeyObject, sign, X509Certificate } from 'node:crypto';
import { type AuditSigner, createChain, reportText, type VerifyOptions } from '../../../lib/audit/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { createCa, p256Keys } from '../../support/ca.ts';
import { editCertificate, tlv } from '../../support/der.ts';
import { at, check, found, ID, type Signatory, signatory, wholeRun } from './log.ts';

describe('audit verification finds who signed', () => {
  let by: Signatory;
  let options: VerifyOptions;
  before(async () => {
    by = await signatory();
    options = { bundle: by.bundle };
  });

  for (const [what, other, want] of [
    [
      'a CA that the bundle does not have',
      async () => signatory(ID, {}, await createCa('example.org')),
      'bad_certificate',
    ],
    ['an SVID that had expired', () => signatory(ID, { notAfter: at(0) }, by.ca), 'bad_certificate'],
    [
      'an SVID that was not yet valid',
      () => signatory(ID, { notBefore: at(3000) }, by.ca),
      'bad_certificate',
    ],
    [
      'an SVID of another trust domain',
      () => signatory('spiffe://example.com/a', {}, by.ca),
      'bad_certificate',
    ],
    ['a certificate that is no SVID', () => signatory(ID, { keyUsage: null }, by.ca), 'bad_certificate'],
  ] as [string, () => Promise<Signatory>, string][]) {
    it(what, async () => {
      const report = check(wholeRun((await other()).signer), options);
      assert.deepEqual(found(report), ['unsigned 1', `${want} 6`, `${want} 11`, `${want} 12`]);
    });
  }

  it('another workload of the same trust domain', async () => {
    const other = await signatory('spiffe://example.org/ns/shop/sa/orders', {}, by.ca);
    const mixed = wholeRun(other.signer);
    assert.equal(check(mixed, options).ok, true);
    const expectId = parseSpiffeId(ID);
    assert.deepEqual(found(check(mixed, { ...options, expectId })), [
      'unsigned 1',
      'signer_changed 6',
      'signer_changed 11',
      'signer_changed 12',
    ]);
  });

  it('another workload from the middle on', async () => {
    const other = await signatory('spiffe://example.org/ns/shop/sa/orders', {}, by.ca);
    const chain = createChain();
    const both = [...wholeRun(by.signer, chain), ...wholeRun(other.signer, chain)];
    const report = check(both, options);
    assert.deepEqual(found(report), ['signer_changed 18', 'signer_changed 23', 'signer_changed 24']);
  });

  it('another key than the certificate’s, an RSA key, an empty chain, a chain of rubbish', async () => {
    const keys = await p256Keys();
    const key = { key: KeyObject.from(keys.privateKey), dsaEncoding: 'ieee-p1363' } as const;
    const signers: [AuditSigner, string][] = [
      [{ ...by.signer, sign: (data) => sign('sha256', data, key) }, 'bad_signature'],
      [{ ...by.signer, sign: () => Buffer.alloc(64) }, 'bad_signature'],
      [{ ...by.signer, sign: (data) => by.signer.sign(data).slice(0, 63) }, 'bad_signature'],
      [{ ...by.signer, chainDer: [] }, 'bad_certificate'],
      [{ ...by.signer, chainDer: [Buffer.from('rubbish')] }, 'bad_certificate'],
    ];
    for (const [signer, want] of signers) {
      assert.deepEqual(found(check(wholeRun(signer), options)), [
        'unsigned 1',
        `${want} 6`,
        `${want} 11`,
        `${want} 12`,
      ]);
    }
  });

  it('nobody in particular without a bundle, and says so', async () => {
    const anyone = await signatory(ID, {}, await createCa('example.org'));
    const report = check(wholeRun(anyone.signer), { bundle: null });
    assert.deepEqual([report.ok, report.anchored], [true, false]);
    assert.match(reportText(report), /not checked, no bundle given/);
  });

  it('with a key on another curve, or with one that cannot be used: refused though the certificate reads', async () => {
    const args = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:secp256k1',
      '-nodes',
      '-keyout',
      '-',
      '-subj',
      '/',
    ];
    const svid = [
      'basicConstraints=critical,CA:FALSE',
      'keyUsage=critical,digitalSignature',
      'extendedKeyUsage=serverAuth,clientAuth',
    ];
    const extensions = [...svid, `subjectAltName=critical,URI:${ID}`].flatMap((text) => ['-addext', text]);
    const pem = execFileSync('openssl', [...args, ...extensions], { encoding: 'utf8', stdio: 'pipe' });
    const key = createPrivateKey(pem);
    const der = new X509Certificate(pem).raw;
    const now = new Date();
    const run = (leafDer: Uint8Array) => {
      const chain = createChain();
      const signer = {
        chainDer: [leafDer],
        sign: (data: Uint8Array) => sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' }),
      };
      return check([chain.append({ type: 'start' }, now).line, chain.stop(signer, {}, now).line], {
        bundle: null,
      });
    };
    const unusable = editCertificate.field(der, 6, () => tlv(0x30, tlv(5)));
    for (const leafDer of [der, unusable])
      assert.deepEqual(found(run(leafDer)), ['unsigned 1', 'bad_signature 2']);
  });
});
