import { createPublicKey, type KeyObject, verify } from 'node:crypto';

/**
 * What a broker says of a log that it collects: at `time` the log of `id` had, as record `seq`, the line with this hash. It is signed by a
 * key that never leaves Vault, so that whoever holds the key of the SVID later cannot write another past.
 */
export type Statement = {
  readonly log: string;
  readonly id: string;
  readonly seq: number;
  /** Hex SHA-256 of the line without its line break. */
  readonly hash: string;
  readonly time: string;
};

/** `key`: the version of the signing key. `sig`: ES256 over `statementBytes`, 64 bytes, base64url. */
export type Countersignature = Statement & { readonly key: number; readonly sig: string };

/** The public keys that countersign, by version. */
export type Countersigners = ReadonlyMap<number, KeyObject>;

const DOMAIN = 'signet-audit-countersignature-v1\n';
const SIG = /^[A-Za-z0-9_-]{85}[AQgw]$/;
const HASH = /^[0-9a-f]{64}$/;
const FIELDS = 'log,id,seq,hash,time,key,sig';

/** What is signed. */
export function statementBytes({ log, id, seq, hash, time }: Statement): Buffer {
  return Buffer.from(DOMAIN + JSON.stringify({ log, id, seq, hash, time }));
}

/** One line of a file of countersignatures, with its line break. */
export function countersignatureLine({ log, id, seq, hash, time, key, sig }: Countersignature): string {
  return `${JSON.stringify({ log, id, seq, hash, time, key, sig })}\n`;
}

/** Reads a line without its line break. Null unless it is a countersignature as `countersignatureLine` writes it. */
export function readCountersignature(line: string): Countersignature | null {
  let value: Countersignature;
  try {
    value = JSON.parse(line) as Countersignature;
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || JSON.stringify(value) !== line) return null;
  const { log, id, seq, hash, time, key, sig } = value;
  const texts = [log, id, hash, time, sig].every((text) => typeof text === 'string');
  const fits = texts && HASH.test(hash) && SIG.test(sig) && Number.isFinite(Date.parse(time));
  if (!fits || Object.keys(value).join() !== FIELDS) return null;
  return Number.isSafeInteger(seq) && seq >= 0 && Number.isSafeInteger(key) && key > 0 ? value : null;
}

/** Whether one of these keys made it. */
export function isCountersignedBy(countersigners: Countersigners, signed: Countersignature): boolean {
  const key = countersigners.get(signed.key);
  if (key === undefined) return false;
  const signature = Buffer.from(signed.sig, 'base64url');
  return verify('sha256', statementBytes(signed), { key, dsaEncoding: 'ieee-p1363' }, signature);
}

/** @throws when a text is no public key, or one that is not of ECDSA P-256 */
export function readCountersigners(pems: Readonly<Record<string, string>>): Countersigners {
  return new Map(
    Object.entries(pems).map(([version, pem]) => {
      const key = createPublicKey(pem);
      if (!/^[1-9]\d{0,8}$/.test(version) || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
        throw new TypeError('a countersigning key is of ECDSA P-256 and has a version');
      return [Number(version), key] as const;
    }),
  );
}
