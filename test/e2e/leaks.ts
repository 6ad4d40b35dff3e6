import { createECDH, type KeyObject } from 'node:crypto';

/** What must not be found anywhere, beside what every secret of ours looks like. */
export type Sought = {
  /** Values known to the test: a join code, a token. */
  readonly values?: readonly string[];
  /** P-256 public keys: their private numbers are looked for, in whatever form they stand. */
  readonly publicKeys?: readonly KeyObject[];
};

const LOOKS: Readonly<Record<string, RegExp>> = {
  'PEM private key': /PRIVATE KEY-----/,
  'Vault token': /hv[sbr]\.[A-Za-z0-9_-]{20,}/,
  'join code': /sj1\.[A-Za-z0-9_-]{10,}\./,
  'SSH signature': /-----BEGIN SSH SIGNATURE-----/,
  'JWK private key': /"d"\s*:\s*"[A-Za-z0-9_-]{43}"/,
};

/** The fixed beginnings of a P-256 private key in DER: PKCS #8, SEC 1 with and without its public key. */
const DER_STARTS = [
  '308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420',
  '30770201010420',
  '30310201010420',
].map((hex) => Buffer.from(hex, 'hex'));

/** Names of the secrets that `bytes` holds, in the clear, in hex or in base64. */
export function findLeaks(bytes: Buffer, { values = [], publicKeys = [] }: Sought = {}): string[] {
  const text = bytes.toString('latin1');
  const found = new Set<string>();
  for (const [name, look] of Object.entries(LOOKS)) if (look.test(text)) found.add(name);
  for (const start of DER_STARTS)
    if (spellings(start).some((form) => bytes.includes(form))) found.add('DER private key');
  for (const value of values) {
    if (spellings(Buffer.from(value)).some((form) => bytes.includes(form))) found.add('known value');
  }
  if (publicKeys.length > 0 && holdsScalar(bytes, text, publicKeys)) found.add('private number');
  return [...found].sort();
}

/** As it is, in hex, and in base64 at each of the three places it may start within a group. */
function spellings(secret: Buffer): Buffer[] {
  const base64 = [0, 1, 2].flatMap((shift) => {
    const shifted = Buffer.concat([Buffer.alloc(shift), secret]);
    // The first and last groups hold bits of the neighbours.
    const whole = shifted.toString('base64').slice(shift === 0 ? 0 : 4, Math.floor(shifted.length / 3) * 4);
    return [whole, whole.replaceAll('+', '-').replaceAll('/', '_')];
  });
  const hex = secret.toString('hex');
  return [secret, ...[hex, hex.toUpperCase(), ...base64].map((form) => Buffer.from(form))];
}

function holdsScalar(bytes: Buffer, text: string, publicKeys: readonly KeyObject[]): boolean {
  const points = new Set(publicKeys.map(pointOf));
  const fits = (candidate: Buffer) => candidate.length === 32 && points.has(publicPoint(candidate));
  for (let i = 0; i + 32 <= bytes.length; i++) if (fits(bytes.subarray(i, i + 32))) return true;
  for (const [run] of text.matchAll(/[0-9a-fA-F]{64,}/g))
    for (let i = 0; i + 64 <= run.length; i += 2)
      if (fits(Buffer.from(run.slice(i, i + 64), 'hex'))) return true;
  for (const [run] of text.matchAll(/[A-Za-z0-9+/_-]{43}/g))
    if (fits(Buffer.from(run, 'base64'))) return true;
  return false;
}

function pointOf(key: KeyObject): string {
  const { x = '', y = '' } = key.export({ format: 'jwk' });
  return Buffer.concat([Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]).toString('hex');
}

function publicPoint(scalar: Buffer): string {
  const curve = createECDH('prime256v1');
  try {
    curve.setPrivateKey(scalar);
  } catch {
    return ''; // zero, or beyond the curve's order
  }
  return curve.getPublicKey('hex', 'uncompressed').slice(2);
}
