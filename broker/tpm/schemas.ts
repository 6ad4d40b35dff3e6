import { type JsonSchema, object } from '../schema.ts';

export function base64(maxLength: number, description: string): JsonSchema {
  return { type: 'string', maxLength, pattern: '^[A-Za-z0-9+/]+={0,2}$', description };
}

export const keySchemas = {
  ek: base64(
    1_400,
    '`TPMT_PUBLIC` of the endorsement key: RSA of 2048 bits or P-256, by the template of the TCG',
  ),
  ak: base64(1_400, '`TPMT_PUBLIC` of the attestation key: P-256, restricted, made in this TPM'),
} as const;

export const tpmSchemas: Readonly<Record<string, JsonSchema>> = {
  TpmKeys: object({ challenge: { type: 'string', maxLength: 128 }, ...keySchemas }),
  TpmCredential: object({
    credential_blob: base64(512, 'content of `TPM2B_ID_OBJECT`'),
    encrypted_secret: base64(1_024, 'content of `TPM2B_ENCRYPTED_SECRET`'),
  }),
};
