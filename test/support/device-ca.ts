import './ca.ts';
import { createHash } from 'node:crypto';
import { Extension, X509CrlGenerator } from '@peculiar/x509';
import {
  type CertificateOptions,
  createCa,
  digitalSignature,
  type TestCa,
  type TestCertificate,
} from './ca.ts';

/** A manufacturer's root. */
export function createDeviceCa(name: string, options: CertificateOptions = {}): Promise<TestCa> {
  return createCa(name, { subject: `CN=${name} root`, sans: null, ...options });
}

export type DeviceKind = { readonly type: string; readonly version: string; readonly id: string };

/** The URI by which a certificate says what kind of device it is for. */
export function deviceUri({ type, version, id }: DeviceKind): string {
  return `https://devices.example/device-type/${type}/ver/${version}/ins/${id}`;
}

/** How a selector names the authority. */
export function keyName({ spkiDer }: TestCertificate): string {
  return `SHA256:${createHash('sha256').update(spkiDer).digest('hex')}`;
}

/** A device's certificate as manufacturers make them: a name, a key usage, and no extended one. */
export function certifyDevice(
  ca: TestCa,
  name: string,
  { uri, ...options }: CertificateOptions & { readonly uri?: string } = {},
): Promise<TestCertificate> {
  return ca.leaf('', {
    subject: `CN=${name}`,
    keyUsage: digitalSignature,
    extendedKeyUsage: null,
    sans: uri === undefined ? null : [{ type: 'url', value: uri }],
    sanCritical: false,
    ...options,
  });
}

export type CrlOptions = {
  /** Hex. */
  readonly serials?: readonly string[];
  readonly thisUpdate?: Date;
  readonly nextUpdate?: Date | null;
  /** An extension to mark as critical. */
  readonly critical?: string;
  /** Signs, while `ca` is named as issuer. */
  readonly forgedBy?: TestCa;
};

/** A revocation list, DER. */
export async function makeCrl(ca: TestCa, options: CrlOptions = {}): Promise<Uint8Array> {
  const { serials = [], nextUpdate = new Date(Date.now() + 3_600_000) } = options;
  const crl = await X509CrlGenerator.create({
    issuer: ca.subject,
    thisUpdate: options.thisUpdate ?? new Date(Date.now() - 60_000),
    ...(nextUpdate === null ? {} : { nextUpdate }),
    entries: serials.map((serialNumber) => ({ serialNumber, revocationDate: new Date() })),
    extensions:
      options.critical === undefined
        ? []
        : [new Extension(options.critical, true, new Uint8Array([0x30, 0]).buffer)],
    signingKey: (options.forgedBy ?? ca).keys.privateKey,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  });
  return new Uint8Array(crl.rawData);
}
