import { createHash } from 'node:crypto';
import { field } from '../../../lib/adapter/exchange.ts';
import { proofMessage } from '../../../lib/attestation/index.ts';
import type { AttestSpec } from '../../config/values.ts';
import { AcquireError } from '../acquire-error.ts';
import type { EvidenceSource, KeyPair } from '../evidence.ts';
import { openTpm } from './tpm.ts';

type Spec = AttestSpec & { readonly method: 'tpm' };

/** Two calls of the broker: it wraps a secret for the TPM, and the TPM opens it and quotes the proof. Nothing is kept between claims. */
export function tpmEvidence({ place, ek: kind }: Spec, newKeyPair: () => Promise<KeyPair>): EvidenceSource {
  return {
    async claim() {
      return {
        method: 'tpm',
        key: await newKeyPair(),
        identity: null,
        async evidence(proof, call) {
          await using tpm = await openTpm(place);
          const [ek, ak] = [await tpm.endorsementKey(kind), await tpm.attestationKey()];
          const certificate = await tpm.certificate(kind);
          const keys = { ek: ek.publicPart.toString('base64'), ak: ak.publicPart.toString('base64') };
          const made = await call('/v1/tpm/credential', { challenge: proof.challenge, ...keys }, 200);
          const secret = await tpm.activate(
            ak,
            ek,
            bytesOf(made, 'credential_blob'),
            bytesOf(made, 'encrypted_secret'),
          );
          const digest = createHash('sha256').update(proofMessage(proof)).digest();
          const { quote, signature } = await tpm.quote(ak, digest);
          return {
            ...keys,
            ...(certificate === undefined ? {} : { ek_certificate: certificate.toString('base64') }),
            secret: secret.toString('base64'),
            quote: quote.toString('base64'),
            signature: signature.toString('base64'),
          };
        },
        accepted() {},
        refused() {},
      };
    },
  };
}

function bytesOf(answer: unknown, name: string): Buffer {
  const text = field(answer, name);
  if (typeof text !== 'string' || text.length > 2_048 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text))
    throw new AcquireError('BROKER_ANSWER', `the broker's credential for the TPM has no ${name}`);
  return Buffer.from(text, 'base64');
}
