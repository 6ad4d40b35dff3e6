/** TPM_ALG_ID, TPM_ECC_CURVE and TPM_GENERATED, as far as Signet speaks of them (TPM 2.0 Part 2 §6). */
export const ALG = {
  rsa: 0x0001,
  aes: 0x0006,
  sha256: 0x000b,
  null: 0x0010,
  ecdsa: 0x0018,
  ecc: 0x0023,
  cfb: 0x0043,
} as const;

export const CURVE_P256 = 0x0003;

/** TPMA_OBJECT (TPM 2.0 Part 2 §8.3). */
export const ATTRIBUTE = {
  fixedTpm: 1 << 1,
  fixedParent: 1 << 4,
  sensitiveDataOrigin: 1 << 5,
  userWithAuth: 1 << 6,
  adminWithPolicy: 1 << 7,
  noDa: 1 << 10,
  restricted: 1 << 16,
  decrypt: 1 << 17,
  sign: 1 << 18,
} as const;
