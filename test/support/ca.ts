import 'reflect-metadata';
import { KeyObject, webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** What a certificate is made of. Left out, each has the value a sound one of its kind has; null leaves the extension out. */
export type CertificateOptions = {
  readonly subject?: string;
  /** Hex. */
  readonly serial?: string;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly ca?: boolean;
  readonly pathLength?: number;
  readonly basicConstraints?: null;
  readonly keyUsage?: number | null;
  readonly keyUsageCritical?: boolean;
  readonly extendedKeyUsage?: readonly string[] | null;
  readonly sans?: readonly JsonGeneralName[] | null;
  readonly sanCritical?: boolean;
  /** Added as they are, after the others. */
  readonly extra?: readonly {
    readonly oid: string;
    readonly critical: boolean;
    readonly value: Uint8Array;
  }[];
  readonly hash?: 'SHA-1' | 'SHA-256' | 'SHA-384';
  /** Certifies this key instead of a new one. */
  readonly keys?: webcrypto.CryptoKeyPair;
  /** Signs with this key while naming the CA as issuer. */
  readonly forgedBy?: webcrypto.CryptoKeyPair;
};

export type TestCertificate = {
  readonly der: Uint8Array;
  readonly pem: string;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly privateKey: KeyObject;
  readonly privateKeyPem: string;
  readonly spkiDer: Uint8Array;
};

export type TestCa = TestCertificate & {
  readonly subject: string;
  readonly trustDomain: string;
  intermediate(options?: CertificateOptions): Promise<TestCa>;
  /** An SVID for `id`, sound unless `options` says otherwise. */
  leaf(id: string, options?: CertificateOptions): Promise<TestCertificate>;
};

export const { digitalSignature, keyEncipherment, keyCertSign, cRLSign } = KeyUsageFlags;
export const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

const P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const MINUTE_MS = 60_000;

export function p256Keys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(P256, true, ['sign', 'verify']);
}

/** A self-signed root for a trust domain. */
export async function createCa(
  trustDomain = 'example.org',
  options: CertificateOptions = {},
): Promise<TestCa> {
  const keys = options.keys ?? (await p256Keys());
  const subject = options.subject ?? `CN=${trustDomain} root`;
  return asCa(
    await certify({ keys, subject }, { ...caDefaults(trustDomain), ...options, subject, keys }),
    subject,
    trustDomain,
  );
}

type Issuer = { readonly keys: webcrypto.CryptoKeyPair; readonly subject: string };

function asCa(certificate: TestCertificate, subject: string, trustDomain: string): TestCa {
  const issuer = { keys: certificate.keys, subject };
  return {
    ...certificate,
    subject,
    trustDomain,
    intermediate: async (options = {}) => {
      const name = options.subject ?? `CN=${trustDomain} issuing`;
      const made = await certify(issuer, { ...caDefaults(trustDomain), ...options, subject: name });
      return asCa(made, name, trustDomain);
    },
    leaf: (id, options = {}) => certify(issuer, { ...leafDefaults(id), ...options }),
  };
}

function caDefaults(trustDomain: string): CertificateOptions {
  return {
    ca: true,
    keyUsage: keyCertSign | cRLSign,
    extendedKeyUsage: null,
    sans: [{ type: 'url', value: `spiffe://${trustDomain}` }],
    sanCritical: false,
    notAfter: new Date(Date.now() + 24 * 60 * MINUTE_MS),
  };
}

function leafDefaults(id: string): CertificateOptions {
  return {
    subject: '',
    ca: false,
    keyUsage: digitalSignature,
    extendedKeyUsage: [SERVER_AUTH, CLIENT_AUTH],
    sans: [{ type: 'url', value: id }],
    sanCritical: true,
    notAfter: new Date(Date.now() + 60 * MINUTE_MS),
  };
}

async function certify(issuer: Issuer, options: CertificateOptions): Promise<TestCertificate> {
  const keys = options.keys ?? (await p256Keys());
  const certificate = await X509CertificateGenerator.create({
    subject: options.subject ?? '',
    issuer: issuer.subject,
    notBefore: options.notBefore ?? new Date(Date.now() - MINUTE_MS),
    notAfter: options.notAfter ?? new Date(Date.now() + 60 * MINUTE_MS),
    publicKey: keys.publicKey,
    signingKey: (options.forgedBy ?? issuer.keys).privateKey,
    signingAlgorithm: { name: 'ECDSA', hash: options.hash ?? 'SHA-256' },
    extensions: await extensionsOf(options, keys, issuer.keys),
    ...(options.serial === undefined ? {} : { serialNumber: options.serial }),
  });
  const privateKey = KeyObject.from(keys.privateKey);
  return {
    der: new Uint8Array(certificate.rawData),
    pem: `${certificate.toString('pem')}\n`,
    keys,
    privateKey,
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    spkiDer: KeyObject.from(keys.publicKey).export({ type: 'spki', format: 'der' }),
  };
}

async function extensionsOf(
  options: CertificateOptions,
  own: webcrypto.CryptoKeyPair,
  issuer: webcrypto.CryptoKeyPair,
): Promise<Extension[]> {
  const { keyUsage, extendedKeyUsage, sans } = options;
  const list: Extension[] = [
    await SubjectKeyIdentifierExtension.create(own.publicKey),
    await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
  ];
  if (options.basicConstraints !== null) {
    list.push(new BasicConstraintsExtension(options.ca ?? false, options.pathLength, true));
  }
  if (typeof keyUsage === 'number')
    list.push(new KeyUsagesExtension(keyUsage, options.keyUsageCritical ?? true));
  if (extendedKeyUsage) list.push(new ExtendedKeyUsageExtension([...extendedKeyUsage]));
  if (sans) list.push(new SubjectAlternativeNameExtension([...sans], options.sanCritical ?? true));
  for (const { oid, critical, value } of options.extra ?? [])
    list.push(new Extension(oid, critical, new Uint8Array(value).buffer));
  return list;
}
