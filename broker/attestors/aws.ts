import { SshError, selectors, verifySshSignature } from '../../lib/attestation/index.ts';
import type { Defect } from '../../lib/errors.ts';
import type { Alarms } from '../alarms.ts';
import { AWS_REGION, type AwsConfig } from '../aws/certificates.ts';
import { AWS_ACCOUNT, AWS_IMAGE, AWS_INSTANCE, type AwsDocument, readAwsDocument } from '../aws/document.ts';
import { pinKey } from '../devices/pin.ts';
import { refused } from '../devices/refused.ts';
import type { Instances } from '../instances.ts';
import type { AttestContext, Attestor } from './attestor.ts';

export type AwsDeps = { readonly config: AwsConfig; readonly instances: Instances; readonly alarms: Alarms };
type Evidence = { readonly pkcs7: string; readonly signature: string };

/**
 * An EC2 instance proves itself with its identity document, which AWS signed, and its SSH host key. The document says which instance it is of,
 * but whoever reads it once may show it for ever: so the first to show it pins its host key, and no other key is taken after that, by whatever
 * entry. The key outlives a reboot, and with it the identity.
 */
export function aws({ config, instances, alarms }: AwsDeps): Attestor {
  return {
    method: 'aws',
    evidence: {
      type: 'object',
      properties: {
        pkcs7: {
          type: 'string',
          maxLength: 8_192,
          pattern: '^[A-Za-z0-9+/]+={0,2}$',
          description: 'what `/latest/dynamic/instance-identity/rsa2048` gives, without line ends',
        },
        signature: {
          type: 'string',
          maxLength: 32_768,
          pattern: '^-----BEGIN SSH SIGNATURE-----',
          description: 'armoured SSHSIG of the proof message by the host key, namespace signet-attest-v1',
        },
      },
      required: ['pkcs7', 'signature'],
      additionalProperties: false,
    },
    async verify(evidence, context) {
      const { pkcs7, signature } = evidence as Evidence;
      const key = signerOf(signature, context);
      const document = await readAwsDocument(pkcs7, config.certificates, context.now);
      const { accountId, region, instanceId, imageId } = document;
      return {
        selectors: selectors({
          'aws:account': accountId,
          'aws:region': region,
          'aws:instance': instanceId,
          'aws:image': imageId,
        }),
        async settle({ entry, id }) {
          const subject = `signet-aws-v1\n${accountId}\n${region}\n${instanceId}`;
          const first = () => expectEarly(config, document, context.now);
          return await pinKey(
            { instances, alarms },
            { entry, id, method: 'aws', subject, key, first },
            context,
          );
        },
      };
    },
    entryDefects,
  };
}

/** The host key that signed the proof; a certificate that comes with it counts for nothing here. */
function signerOf(armored: string, { proof, now }: AttestContext): string {
  try {
    return verifySshSignature({ armored, namespace: 'signet-attest-v1', message: proof, now }).keyFingerprint;
  } catch (cause) {
    if (!(cause instanceof SshError)) throw cause;
    throw refused('AWS_PROOF', `${cause.code}: ${cause.message}`, { cause });
  }
}

function expectEarly(
  { launchedWithinMs }: AwsConfig,
  { instanceId, pendingTime }: AwsDocument,
  now: Date,
): void {
  const age = now.getTime() - pendingTime.getTime();
  if (launchedWithinMs === null || age <= launchedWithinMs) return;
  throw refused(
    'AWS_LATE',
    `${instanceId} comes for the first time ${Math.round(age / 1000)} s after its launch`,
  );
}

const FORMS: Readonly<Record<string, RegExp>> = {
  'aws:account': AWS_ACCOUNT,
  'aws:region': AWS_REGION,
  'aws:instance': AWS_INSTANCE,
  'aws:image': AWS_IMAGE,
};

function entryDefects({ match }: { readonly match: Readonly<Record<string, string>> }): readonly Defect[] {
  const defects: Defect[] = [];
  if (!('aws:account' in match) || !('aws:instance' in match)) {
    const message =
      'pins not both aws:account and aws:instance: anyone may launch an instance, and AWS signs its document';
    defects.push({ pointer: '/match', message });
  }
  for (const [key, value] of Object.entries(match)) {
    const pointer = `/match/${key.replaceAll('/', '~1')}`;
    const form = Object.hasOwn(FORMS, key) ? FORMS[key] : undefined;
    if (form === undefined) defects.push({ pointer, message: 'is not what an identity document says' });
    else if (!form.test(value)) defects.push({ pointer, message: `is not such as AWS gives as ${key}` });
  }
  return defects;
}
