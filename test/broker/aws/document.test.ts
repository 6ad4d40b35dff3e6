import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { after, before, describe, it } from 'mocha';
import { AttestationError } from '../../../broker/attestors/attestor.ts';
import type { AwsCertificate } from '../../../broker/aws/certificates.ts';
import { readAwsDocument } from '../../../broker/aws/document.ts';
import { type AwsSigner, identityDocument, type TestAws, testAws } from '../../support/aws.ts';

describe('the identity document of an EC2 instance', () => {
  let aws: TestAws;
  let signer: AwsSigner;
  let other: AwsSigner;
  let pins: AwsCertificate[];
  before(async () => {
    aws = await testAws();
    [signer, other] = await Promise.all([aws.signer('eu-central-1'), aws.signer('us-east-1')]);
    pins = [await pin(other), await pin(signer)];
  });
  after(() => aws?.[Symbol.asyncDispose]());

  const pin = async ({ region, certificate }: AwsSigner): Promise<AwsCertificate> => ({
    region,
    certificate: new X509Certificate(await readFile(certificate)),
  });
  const refusal = async (pkcs7: string, by = pins, now = new Date()): Promise<AttestationError> => {
    const error = await readAwsDocument(pkcs7, by, now).then(
      () => assert.fail('it was taken'),
      (error: unknown) => error,
    );
    assert.ok(error instanceof AttestationError, String(error));
    return error;
  };

  it('is read, in BER without a certificate as AWS gives it', async () => {
    const pkcs7 = await signer.sign(identityDocument());
    assert.match(pkcs7, /^MIAGCSqGSIb3DQEHAqCAMIACAQEx/);
    const document = await readAwsDocument(pkcs7, pins, new Date());
    assert.deepEqual(document, {
      accountId: '123456789012',
      region: 'eu-central-1',
      instanceId: 'i-0123456789abcdef0',
      imageId: 'ami-0123456789abcdef0',
      privateIp: '10.158.112.84',
      pendingTime: new Date('2026-01-19T16:32:11Z'),
    });
  });
  for (const [what, more] of [
    ['in DER', ['-noindef']],
    ['without signed attributes', ['-noattr']],
  ] as const)
    it(`is read ${what}`, async () => {
      const pkcs7 = await signer.sign(identityDocument(), more);
      assert.equal((await readAwsDocument(pkcs7, pins, new Date())).region, 'eu-central-1');
    });
  it('is read with fields that we do not know, and with a certificate in it', async () => {
    const pkcs7 = await signer.sign(identityDocument({ tpmSupport: 'v2.0' }), [
      '-certfile',
      other.certificate,
    ]);
    assert.equal((await readAwsDocument(pkcs7, pins, new Date())).region, 'eu-central-1');
  });

  describe('is refused', () => {
    it('with one letter of it changed', async () => {
      const pkcs7 = Buffer.from(await signer.sign(identityDocument()), 'base64');
      const at = pkcs7.indexOf('123456789012');
      pkcs7[at] = '9'.charCodeAt(0);
      assert.equal((await refusal(pkcs7.toString('base64'))).code, 'AWS_UNTRUSTED');
    });
    it('by a certificate that is not pinned, though of the same names, and though it brings it along', async () => {
      const stranger = await aws.signer('eu-central-1');
      const pkcs7 = await stranger.sign(identityDocument(), ['-certfile', stranger.certificate]);
      assert.equal((await refusal(pkcs7)).code, 'AWS_UNTRUSTED');
    });
    it('by a certificate that a pinned one vouches for', async () => {
      const below = await aws.signer('eu-central-1', { by: signer });
      const pkcs7 = await below.sign(identityDocument(), ['-certfile', below.certificate]);
      assert.equal((await refusal(pkcs7)).code, 'AWS_UNTRUSTED');
    });
    it("by another region's certificate", async () => {
      assert.equal((await refusal(await other.sign(identityDocument()))).code, 'AWS_UNTRUSTED');
    });
    it('by a certificate that has expired, and by one that is not valid yet', async () => {
      const pkcs7 = await signer.sign(identityDocument());
      for (const days of [-1, 31]) {
        const now = new Date(Date.now() + days * 86_400_000);
        assert.equal((await refusal(pkcs7, pins, now)).code, 'AWS_CERTIFICATE');
      }
    });
    it('of a region that has no certificate', async () => {
      const pkcs7 = await signer.sign(identityDocument());
      assert.equal((await refusal(pkcs7, [await pin(other)])).code, 'AWS_REGION');
    });
    const odd: [what: string, more: () => readonly string[], reason: RegExp][] = [
      ['made with SHA-1', () => ['-md', 'sha1'], /SHA-256/],
      ['made with SHA-512', () => ['-md', 'sha512'], /SHA-256/],
      ['made with RSA-PSS', () => ['-noindef', '-keyopt', 'rsa_padding_mode:pss'], /made with RSA/],
      ['with two signers', () => ['-signer', other.certificate, '-inkey', other.key], /one signer/],
      ['around something else than data', () => ['-econtent_type', '1.2.3.4'], /something else/],
      ['apart from its document', () => ['-noindef', 'detached'], /no document/],
    ];
    for (const [what, more, reason] of odd)
      it(what, async () => {
        const error = await refusal(await signer.sign(identityDocument(), more()));
        assert.equal(error.code, 'AWS_MALFORMED');
        assert.match(error.message, reason);
      });
    const documents: [what: string, document: string | Uint8Array][] = [
      ['that is not JSON', 'accountId=123456789012'],
      ['that is no object', '["i-0123456789abcdef0"]'],
      ['that is too long', identityDocument({ more: 'x'.repeat(5_000) })],
      ['that is not UTF-8', Buffer.from(identityDocument({ note: 'é' }), 'latin1')],
      ['without an account', identityDocument({ accountId: undefined })],
      ['with a number for an account', identityDocument({ accountId: 123456789012 })],
      ['with a star for an instance', identityDocument({ instanceId: 'i-*' })],
      ['without an image', identityDocument({ imageId: null })],
      ['without an address', identityDocument({ privateIp: '' })],
      ['with a day that is none', identityDocument({ pendingTime: '2026-13-01T00:00:00Z' })],
    ];
    for (const [what, document] of documents)
      it(`by the right certificate, with a document ${what}`, async () => {
        assert.equal((await refusal(await signer.sign(document))).code, 'AWS_MALFORMED');
      });
  });

  describe('in bytes that a stranger makes', () => {
    it('changes into nothing else, whatever is changed', async () => {
      const pkcs7 = Buffer.from(await signer.sign(identityDocument()), 'base64');
      const genuine = JSON.stringify(await readAwsDocument(pkcs7.toString('base64'), pins, new Date()));
      const change = fc.record({ at: fc.nat(pkcs7.length - 1), byte: fc.nat(255), drop: fc.nat(3) });
      await fc.assert(
        fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
          const bytes = [...pkcs7];
          for (const { at, byte, drop } of changes) bytes.splice(at, drop, byte);
          const read = await readAwsDocument(Buffer.from(bytes).toString('base64'), pins, new Date()).catch(
            (error: unknown) => {
              assert.ok(error instanceof AttestationError, String(error));
            },
          );
          if (read !== undefined) assert.equal(JSON.stringify(read), genuine);
        }),
        { numRuns: 600, seed: 7 },
      );
    });
    it('of any kind is refused as what it is', async () => {
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
          await refusal(Buffer.from(bytes).toString('base64'));
        }),
        { numRuns: 300, seed: 7 },
      );
    });
    it('nested as deep as they fit is refused', async () => {
      for (const pair of [
        [0x30, 0x80],
        [0x24, 0x80],
        [0xa0, 0x80],
        [0x31, 0x80],
      ]) {
        const deep = Buffer.from(Array.from({ length: 6_144 }, () => pair).flat());
        assert.equal((await refusal(deep.toString('base64'))).code, 'AWS_MALFORMED');
      }
    });
  });
});
