import { hash, verify, X509Certificate } from 'node:crypto';
import type { SpiffeId } from '../spiffe/index.ts';
import { type Bundle, checkPath, checkSvid, readChain } from '../svid/index.ts';
import type { AuditRecord } from './record.ts';

/**
 * Signs with the SVID key that `chainDer` (leaf first) certifies: ES256, that is ECDSA P-256 with SHA-256 in IEEE P1363 form, 64 bytes.
 */
export type AuditSigner = {
  readonly chainDer: readonly Uint8Array[];
  sign(data: Uint8Array): Uint8Array;
};

/** A signed record holds the signature over its own line without `,"sig":"…"`, and so, by `prev`, over every line before it. */
const DOMAIN = 'signet-audit-v1\n';
/** By how much the clock of the host that wrote the record may have been behind its CA's. */
const SKEW_MS = 300_000;
const SIGNATURE = /,"sig":"([A-Za-z0-9_-]{85}[AQgw])"\}$/;

/** The hash that the first record of a file has in `prev`. */
export const GENESIS = hash('sha256', `${DOMAIN}genesis`);

/** `line` is a whole record without line break; the result is the same record, signed. */
export function seal(line: string, signer: AuditSigner): string {
  const signature = Buffer.from(signer.sign(sealedBytes(line))).toString('base64url');
  return `${line.slice(0, -1)},"sig":"${signature}"}`;
}

export type SealFlaw = 'signature' | 'certificate';
export type SealReading = {
  readonly id: SpiffeId | null;
  readonly flaw: SealFlaw | null;
  readonly detail: string;
};

/**
 * Verifies a signed record: its signature by the leaf it holds, and the leaf's chain to the bundle at the time of the record. Without
 * a bundle the chain is not looked at, and anyone's certificate will do.
 */
export function readSeal(line: string, record: AuditRecord, bundle: Bundle | null): SealReading {
  const flawed = (flaw: SealFlaw, detail: string): SealReading => ({ id: null, flaw, detail });
  const signature = SIGNATURE.exec(line)?.[1];
  if (signature === undefined) return flawed('signature', 'not an ES256 signature');
  let leafDer: Uint8Array;
  let id: SpiffeId;
  try {
    const chain = readChain((record.chain ?? []).map((der) => Buffer.from(der, 'base64')));
    const now = new Date(record.time);
    leafDer = chain[0].der;
    const trustDomain = bundle?.trustDomain ?? trustDomainOf(chain[0].info.uriSans[0]);
    id = checkSvid(chain[0].info, { trustDomain, now, maxSkewMs: SKEW_MS });
    if (bundle !== null) checkPath(chain, bundle, now, SKEW_MS);
  } catch (error) {
    return flawed('certificate', error instanceof Error ? error.message : 'unreadable');
  }
  const unsigned = line.replace(SIGNATURE, '}');
  return verifies(leafDer, sealedBytes(unsigned), Buffer.from(signature, 'base64url'))
    ? { id, flaw: null, detail: '' }
    : flawed('signature', 'the signature is not over this line');
}

function sealedBytes(line: string): Buffer {
  return Buffer.from(DOMAIN + line);
}

function verifies(leafDer: Uint8Array, data: Buffer, signature: Buffer): boolean {
  try {
    const { publicKey } = new X509Certificate(leafDer);
    if (publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return false;
    return verify('sha256', data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
  } catch {
    return false;
  }
}

function trustDomainOf(uri: string | undefined): string {
  return uri?.split('/')[2] ?? '';
}
