import { createHash } from 'node:crypto';
import { type Entry, selectors } from '../../lib/attestation/index.ts';
import type { Defect } from '../../lib/errors.ts';
import { readQuote, verifyTpmSignature } from '../../lib/tpm/index.ts';
import type { ChallengeKeys } from '../challenge-keys.ts';
import { refused } from '../devices/refused.ts';
import type { TpmConfig } from '../tpm/config.ts';
import { certifierOf, ekName, parsed, readKeys } from '../tpm/keys.ts';
import { base64, keySchemas } from '../tpm/schemas.ts';
import { isSecret } from '../tpm/secret.ts';
import type { Attestor } from './attestor.ts';

export type TpmDeps = { readonly config: TpmConfig; readonly keys: ChallengeKeys };

type Evidence = {
  readonly ek: string;
  readonly ak: string;
  readonly ek_certificate?: string;
  readonly secret: string;
  readonly quote: string;
  readonly signature: string;
};

/**
 * A machine proves itself with its TPM: the endorsement key opens what this broker wrapped for it, which only the TPM can that holds the
 * attestation key as well, and the attestation key quotes the proof. The entry pins the endorsement key.
 */
export function tpm({ config: { authorities }, keys }: TpmDeps): Attestor {
  return {
    method: 'tpm',
    evidence: {
      type: 'object',
      properties: {
        ...keySchemas,
        ek_certificate: base64(8_192, 'the certificate of the endorsement key, DER'),
        secret: base64(
          44,
          'what the TPM opened of the answer of `/v1/tpm/credential` for this challenge and these keys',
        ),
        quote: base64(1_400, '`TPMS_ATTEST` of a quote whose extra data is the SHA-256 of the proof message'),
        signature: base64(128, '`TPMT_SIGNATURE` of the quote by the attestation key: ECDSA with SHA-256'),
      },
      required: ['ek', 'ak', 'secret', 'quote', 'signature'],
      additionalProperties: false,
    },
    async verify(evidence, { proof, now }) {
      const shown = evidence as Evidence;
      const pair = readKeys(shown);
      const certified =
        shown.ek_certificate === undefined || authorities.length === 0
          ? undefined
          : certifierOf(shown.ek_certificate, pair.ek, authorities, now);
      if (!(await isSecret(Buffer.from(shown.secret, 'base64'), keys, proof, pair, now)))
        throw refused('TPM_CREDENTIAL', 'the secret is not that of this challenge and these keys of one TPM');
      const quoted = Buffer.from(shown.quote, 'base64');
      const signature = Buffer.from(shown.signature, 'base64');
      if (!parsed(() => verifyTpmSignature(signature, quoted, pair.ak.key)))
        throw refused('TPM_QUOTE_SIGNATURE', 'the quote is not signed by the attestation key');
      const { extraData } = parsed(() => readQuote(quoted));
      if (!extraData.equals(createHash('sha256').update(proof).digest()))
        throw refused('TPM_QUOTE_FOREIGN', 'the quote is not of this proof');
      return { selectors: selectors({ 'tpm:ek': ekName(pair.ek), 'tpm:ca': certified }) };
    },
    entryDefects,
  };
}

const SELECTORS = ['tpm:ek', 'tpm:ca'];

/** Whoever buys a computer holds a TPM that its maker certified. */
function entryDefects({ match }: Entry): readonly Defect[] {
  const defects: Defect[] = [];
  for (const [key, value] of Object.entries(match)) {
    const pointer = `/match/${key.replaceAll('/', '~1')}`;
    if (!SELECTORS.includes(key)) defects.push({ pointer, message: 'is not a selector of TPMs' });
    else if (!/^SHA256:[0-9a-f]{64}$/.test(value))
      defects.push({ pointer, message: 'is not SHA256: and the hash of a public key in hex' });
  }
  if (!('tpm:ek' in match))
    defects.push({ pointer: '/match', message: 'pins no tpm:ek: any TPM of that maker could show the rest' });
  return defects;
}
