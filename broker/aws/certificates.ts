import { X509Certificate } from 'node:crypto';

/** A certificate that AWS publishes for the identity documents of one region. */
export type AwsCertificate = { readonly region: string; readonly certificate: X509Certificate };

export type AwsConfig = {
  readonly certificates: readonly AwsCertificate[];
  /** How long after its launch an instance may come for the first time; null: whenever it likes. */
  readonly launchedWithinMs: number | null;
};

/** `eu-central-1`, `us-gov-west-1`. */
export const AWS_REGION = /^[a-z]{2,4}(?:-[a-z]{2,12}){1,3}-\d{1,2}$/;

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const MOST = 256;

/**
 * The certificates of `region=/path`, separated by white space, or what is wrong with the text. Nothing is trusted by default, and a
 * certificate is good for documents of its own region alone. The answer never quotes what stands behind a region's name.
 */
export function readAwsCertificates(
  text: string,
  readFile: (path: string) => string,
): readonly AwsCertificate[] | string {
  const pins: AwsCertificate[] = [];
  const defects: string[] = [];
  const seen = new Set<string>();
  for (const [i, item] of text.split(/\s+/).filter(Boolean).entries()) {
    const [, region = '', path = ''] = /^([^=]+)=(\/.*)$/s.exec(item) ?? [];
    if (!AWS_REGION.test(region)) {
      defects.push(`item ${i + 1}: is not region=/path, such as eu-central-1=/etc/signet/aws.pem`);
      continue;
    }
    const found = seen.has(region) ? 'is named twice' : readPins(path, readFile);
    seen.add(region);
    if (typeof found === 'string') defects.push(`${region}: ${found}`);
    else pins.push(...found.map((certificate) => ({ region, certificate })));
  }
  if (pins.length > MOST) defects.push(`names over ${MOST} certificates`);
  return defects.length > 0 ? defects.join('; ') : pins;
}

function readPins(path: string, readFile: (path: string) => string): readonly X509Certificate[] | string {
  let pem: string;
  try {
    pem = readFile(path);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return `names a file that ${missing ? 'does not exist' : 'cannot be read'}`;
  }
  if (pem.includes('PRIVATE KEY-----')) return 'names a file that holds a private key';
  const pins: X509Certificate[] = [];
  for (const block of pem.match(PEM_BLOCK) ?? []) {
    try {
      pins.push(new X509Certificate(block));
    } catch {
      return 'names a file with a damaged certificate';
    }
  }
  if (pins.length === 0) return 'names a file without a certificate';
  return pins.every(isStrong)
    ? pins
    : 'names a certificate whose key is not RSA of 2048 bits: take the RSA-2048 one';
}

/** AWS publishes a DSA and an RSA-1024 certificate for each region too: for signatures that are not taken here. */
function isStrong({ publicKey }: X509Certificate): boolean {
  const bits = publicKey.asymmetricKeyDetails?.modulusLength ?? 0;
  return publicKey.asymmetricKeyType === 'rsa' && bits >= 2048;
}
