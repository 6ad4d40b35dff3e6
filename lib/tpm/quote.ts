import { type KeyObject, verify } from 'node:crypto';
import { TpmReader } from './bytes.ts';
import { ALG } from './constants.ts';
import { malformed } from './error.ts';

/** What a quote says (`TPMS_ATTEST` of type `TPM_ST_ATTEST_QUOTE`, TPM 2.0 Part 2 §10.12). */
export type Quote = {
  /** What its caller gave it to sign. */
  readonly extraData: Buffer;
};

/** Marks what a TPM made itself: a restricted key signs nothing that begins so and came from outside. */
const GENERATED = 0xff544347;
const ATTEST_QUOTE = 0x8018;
const MAX_QUOTE_BYTES = 1024;
const MOST_BANKS = 16;

/** @throws TpmError, and nothing else whatever the bytes are; also for what a TPM says of anything but a quote */
export function readQuote(bytes: Uint8Array): Quote {
  if (bytes.length > MAX_QUOTE_BYTES) throw malformed('quote too long');
  const reader = new TpmReader(bytes);
  if (reader.u32() !== GENERATED) throw malformed('not made by a TPM');
  if (reader.u16() !== ATTEST_QUOTE) throw malformed('not a quote');
  reader.sized(128); // the signer's qualified name
  const extraData = reader.sized(64);
  reader.take(8 + 4 + 4); // clock, resets, restarts
  if (reader.u8() > 1) throw malformed('bad clock');
  reader.take(8); // firmware
  const banks = reader.u32();
  if (banks > MOST_BANKS) throw malformed('too many banks');
  for (let i = 0; i < banks; i++) {
    reader.u16();
    reader.take(reader.u8());
  }
  reader.sized(64); // the registers' digest
  reader.end();
  return { extraData };
}

/**
 * Whether `key` (P-256) made this `TPMT_SIGNATURE`, ECDSA with SHA-256.
 * @throws TpmError when the bytes are no such signature
 */
export function verifyTpmSignature(signature: Uint8Array, signed: Uint8Array, key: KeyObject): boolean {
  const reader = new TpmReader(signature);
  if (reader.u16() !== ALG.ecdsa || reader.u16() !== ALG.sha256) throw malformed('another kind of signature');
  const [r, s] = [reader.sized(32), reader.sized(32)];
  reader.end();
  const padded = [r, s].map((part) => Buffer.concat([Buffer.alloc(32 - part.length), part]));
  return verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, Buffer.concat(padded));
}
