import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { toPem } from '../../../../lib/svid/index.ts';

export interface OwnCertificate {
  readonly key: string;
  readonly pem: string;
  readonly der: Buffer;
}

/** Longer than any run. */
const LIFE = 30 * 24 * 3_600_000;
const EARLIER = 60_000;
const ECDSA_WITH_SHA256 = oid('2a8648ce3d040302');
const COMMON_NAME = oid('550403');
const SUBJECT_KEY_ID = oid('551d0e');
const SUBJECT_NAMES = oid('551d11');
const KEY_USAGE = oid('551d0f');
const EXTENDED_USAGE = oid('551d25');
const CONSTRAINTS = oid('551d13');
/** For servers and for clients: as certificates of go-plugin are at both ends. */
const BOTH_ENDS = [oid('2b06010505070301'), oid('2b06010505070302')];

/** A key of its own for this start and a certificate for `localhost`, signed by that key: the other side pins it. */
export function createCertificate(now: Date): OwnCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const algorithm = sequence(ECDSA_WITH_SHA256);
  const name = sequence(element(0x31, sequence(COMMON_NAME, element(0x0c, Buffer.from('localhost')))));
  const validity = sequence(time(new Date(now.getTime() - EARLIER)), time(new Date(now.getTime() + LIFE)));
  const extensions = sequence(
    extension(CONSTRAINTS, true, sequence(element(0x01, Buffer.from([0xff])))),
    extension(KEY_USAGE, true, element(0x03, Buffer.from([2, 0x84]))), // signatures, certificates
    extension(EXTENDED_USAGE, false, sequence(...BOTH_ENDS)),
    extension(SUBJECT_NAMES, false, sequence(element(0x82, Buffer.from('localhost')))),
    extension(SUBJECT_KEY_ID, false, element(0x04, createHash('sha1').update(spki).digest())),
  );
  const serial = randomBytes(16);
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  const body = sequence(
    element(0xa0, element(0x02, Buffer.from([2]))), // version 3
    element(0x02, serial),
    algorithm,
    name,
    validity,
    name,
    spki,
    element(0xa3, extensions),
  );
  const signature = sign('sha256', body, { key: privateKey, dsaEncoding: 'der' });
  const der = sequence(body, algorithm, element(0x03, Buffer.from([0]), signature));
  return {
    der,
    pem: toPem('CERTIFICATE', der),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function extension(id: Buffer, critical: boolean, value: Buffer): Buffer {
  const mark = critical ? [element(0x01, Buffer.from([0xff]))] : [];
  return sequence(id, ...mark, element(0x04, value));
}

/** GeneralizedTime: every year has four digits. Certificates must use the shorter form until 2049. */
function time(at: Date): Buffer {
  const digits = `${at.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
  return at.getUTCFullYear() < 2050
    ? element(0x17, Buffer.from(digits.slice(2)))
    : element(0x18, Buffer.from(digits));
}

function oid(hex: string): Buffer {
  return element(0x06, Buffer.from(hex, 'hex'));
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return element(0x30, ...parts);
}

/** One element in DER, of less than 64 KiB. */
function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}
