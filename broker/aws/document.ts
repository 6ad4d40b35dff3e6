import { isIPv4 } from 'node:net';
import { Certificate, ContentInfo, id_ContentType_SignedData, SignedData } from 'pkijs';
import { AttestationError } from '../attestors/attestor.ts';
import { refused } from '../devices/refused.ts';
import { AWS_REGION, type AwsCertificate } from './certificates.ts';

/** What AWS says of an EC2 instance. */
export type AwsDocument = {
  readonly accountId: string;
  readonly region: string;
  readonly instanceId: string;
  readonly imageId: string;
  readonly privateIp: string;
  /** When it was launched, or started again after a stop. */
  readonly pendingTime: Date;
};

export const AWS_ACCOUNT = /^\d{12}$/;
export const AWS_INSTANCE = /^i-[0-9a-f]{8,17}$/;
export const AWS_IMAGE = /^ami-[0-9a-f]{8,17}$/;

/**
 * Reads an instance identity document out of its PKCS#7 signature, as `/latest/dynamic/instance-identity/rsa2048` gives it: base64 of a
 * CMS SignedData around the document, in BER, with one signer and without certificates. RSA with SHA-256 only, and by one of the given
 * certificates itself, which is one for the region that the document names.
 * @throws AttestationError `AWS_MALFORMED`, `AWS_REGION`, `AWS_UNTRUSTED`, `AWS_CERTIFICATE`
 */
export async function readAwsDocument(
  pkcs7: string,
  certificates: readonly AwsCertificate[],
  now: Date,
): Promise<AwsDocument> {
  const signed = readSigned(Buffer.from(pkcs7, 'base64'));
  // not believed before the signature is verified: it only says by which certificate
  const document = parseDocument(contentOf(signed));
  const { region } = document;
  const named = certificates.filter((each) => each.region === region);
  if (named.length === 0)
    throw refused('AWS_REGION', `SIGNET_AWS_CERTIFICATES names no certificate for ${region}`);
  for (const certificate of named) {
    if (!(await isSignedBy(signed, certificate))) continue;
    expectCurrent(certificate, now);
    return document;
  }
  throw refused(
    'AWS_UNTRUSTED',
    `no certificate of SIGNET_AWS_CERTIFICATES for ${region} signed the document`,
  );
}

const ID = {
  data: '1.2.840.113549.1.7.1',
  sha256: '2.16.840.1.101.3.4.2.1',
  rsa: '1.2.840.113549.1.1.1',
  sha256WithRsa: '1.2.840.113549.1.1.11',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
};

/** One signer, who used what we know; what else might be in it (certificates, other signers, other content) has no place there. */
function readSigned(der: Buffer): SignedData {
  let signed: SignedData;
  try {
    const outer = ContentInfo.fromBER(der);
    if (outer.contentType !== id_ContentType_SignedData) throw invalid('is not SignedData');
    signed = new SignedData({ schema: outer.content });
  } catch (cause) {
    throw cause instanceof AttestationError ? cause : invalid('is not PKCS#7', cause);
  }
  const [signer, ...others] = signed.signerInfos;
  if (signer === undefined || others.length > 0) throw invalid('has not one signer');
  if (signed.encapContentInfo.eContentType !== ID.data) throw invalid('holds something else than data');
  if (signer.digestAlgorithm.algorithmId !== ID.sha256) throw invalid('is not made with SHA-256');
  const algorithm = signer.signatureAlgorithm.algorithmId;
  if (algorithm !== ID.rsa && algorithm !== ID.sha256WithRsa) throw invalid('is not made with RSA');
  for (const type of [ID.contentType, ID.messageDigest]) {
    const found = signer.signedAttrs?.attributes.filter((attribute) => attribute.type === type) ?? [];
    if (signer.signedAttrs !== undefined && (found.length !== 1 || found[0]!.values.length !== 1))
      throw invalid('has signed attributes that are not as they must be');
  }
  return signed;
}

const MAX_DOCUMENT = 4_096;

function contentOf({ encapContentInfo: { eContent } }: SignedData): Buffer {
  if (eContent === undefined || eContent.idBlock.tagClass !== 1 || eContent.idBlock.tagNumber !== 4)
    throw invalid('holds no document');
  const content = Buffer.from(eContent.getValue());
  if (content.length > MAX_DOCUMENT) throw invalid('holds too long a document');
  return content;
}

/** `verify` finds the signer's certificate among those in the message: the pinned one is put there, alone. */
async function isSignedBy(signed: SignedData, { certificate }: AwsCertificate): Promise<boolean> {
  signed.certificates = [Certificate.fromBER(certificate.raw)];
  delete signed.crls;
  try {
    return await signed.verify({ signer: 0, checkChain: false });
  } catch {
    // Another's certificate, another's signature, a digest that differs: all of it is no.
    return false;
  }
}

function expectCurrent({ region, certificate }: AwsCertificate, now: Date): void {
  if (now >= certificate.validFromDate && now <= certificate.validToDate) return;
  throw refused(
    'AWS_CERTIFICATE',
    `the certificate for ${region} in SIGNET_AWS_CERTIFICATES has expired, or is not valid yet`,
  );
}

function parseDocument(content: Buffer): AwsDocument {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content));
  } catch (cause) {
    throw invalid('holds a document that is not JSON', cause);
  }
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const text = (name: string, good: (text: string) => boolean): string => {
    const found = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (typeof found === 'string' && good(found)) return found;
    throw invalid(`holds a document whose ${name} is not one`);
  };
  return {
    accountId: text('accountId', (s) => AWS_ACCOUNT.test(s)),
    region: text('region', (s) => AWS_REGION.test(s)),
    instanceId: text('instanceId', (s) => AWS_INSTANCE.test(s)),
    imageId: text('imageId', (s) => AWS_IMAGE.test(s)),
    privateIp: text('privateIp', isIPv4),
    pendingTime: new Date(
      text('pendingTime', (s) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(s) && !Number.isNaN(Date.parse(s))),
    ),
  };
}

function invalid(what: string, cause?: unknown): AttestationError {
  return refused('AWS_MALFORMED', `the identity document ${what}`, { cause });
}
