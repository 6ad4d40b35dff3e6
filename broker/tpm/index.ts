import type { Log } from '../../lib/adapter/log.ts';
import { AttestationError, type Attestor } from '../attestors/index.ts';
import { tpm } from '../attestors/tpm.ts';
import type { ChallengeKeys } from '../challenge-keys.ts';
import { Problem } from '../problem.ts';
import type { Route } from '../routes/route.ts';
import type { Schemas } from '../schema.ts';
import type { TpmConfig } from './config.ts';
import { makeCredential } from './credential.ts';
import { type Keys, readKeys } from './keys.ts';
import { tpmSchemas } from './schemas.ts';
import { secretOf } from './secret.ts';

export type TpmDeps = {
  readonly config: TpmConfig;
  readonly keys: ChallengeKeys;
  readonly gate: <T>(work: () => Promise<T>) => Promise<T>;
  readonly log: Log;
  readonly now: () => Date;
};

export type Tpms = {
  readonly attestor: Attestor;
  readonly routes: readonly Route[];
  readonly schemas: Schemas;
};

/** What attests machines by their TPM: it takes one call more than other evidence. */
export function openTpms({ config, keys, gate, log, now }: TpmDeps): Tpms {
  return {
    attestor: tpm({ config, keys }),
    schemas: tpmSchemas,
    routes: [
      {
        method: 'post',
        path: '/v1/tpm/credential',
        id: 'tpmCredential',
        summary:
          'A secret that only the TPM can open which holds both keys; it is part of the evidence of method `tpm` for this challenge',
        body: { schema: 'TpmKeys', required: true },
        answers: { 200: 'TpmCredential' },
        problems: [
          'malformed',
          'challenge_invalid',
          'attestation_refused',
          'rate_limited',
          'vault_unavailable',
          'overloaded',
        ],
        async handle({ body, connection, correlationId }) {
          const { challenge, ...shown } = body as { challenge: string; ek: string; ak: string };
          return await gate(async () => {
            const proof = await connection.openChallenge(challenge, now());
            let pair: Keys;
            try {
              pair = readKeys(shown);
            } catch (cause) {
              if (!(cause instanceof AttestationError)) throw cause;
              log.warn('tpm_refused', {
                correlation_id: correlationId,
                source: connection.source,
                reason: cause.message,
              });
              throw new Problem('attestation_refused', { cause });
            }
            const secret = await secretOf(keys, proof, pair, now());
            const credential = makeCredential(pair.ek, pair.ak.nameOfKey, secret);
            return {
              status: 200,
              body: {
                credential_blob: credential.blob.toString('base64'),
                encrypted_secret: credential.secret.toString('base64'),
              },
            };
          });
        },
      },
    ],
  };
}
