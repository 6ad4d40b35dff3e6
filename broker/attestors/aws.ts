import { createHash } from 'node:crypto';
import { entryRef, SshError, selectors, verifySshSignature } from '../../lib/attestation/index.ts';
import type { Defect } from '../../lib/errors.ts';
import type { Alarms } from '../alarms.ts';
import { AWS_REGION, type AwsCertificate } from '../aws-certificates.ts';
import type { Instances } from '../instances.ts';
import { AttestationError, type AttestContext, type Attestor, type Verified } from './attestor.ts';
import { AWS_ACCOUNT, AWS_IMAGE, AWS_INSTANCE, type AwsDocument, verifyAwsDocument } from './aws-document.ts';

export type AwsDeps = {
  readonly certificates: readonly AwsCertificate[];
  /** How long after its launch an instance may come for the first time; null: whenever it likes. */
  readonly launchedWithinMs: number | null;
  readonly instances: Instances;
  readonly alarms: Alarms;
};

type Evidence = { readonly pkcs7: string; readonly signature: string };

/**
 * An EC2 instance proves itself with its identity document, signed by AWS, and its SSH host key. The document says which instance it is of,
 * but whoever reads it once may show it for ever; so the first to show it pins its host key, and no other key is taken after that. The
 * key outlives a reboot, and with it the identity.
 */
export function aws(deps: AwsDeps): Attestor {
  return {
    method: 'aws',
    evidence: {
      type: 'object',
      properties: {
        pkcs7: {
          type: 'string',
          maxLength: 16_384,
          pattern: '^[A-Za-z0-9+/=\\s]+$',
          description: 'what /latest/dynamic/instance-identity/rsa2048 gives',
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
      const hostKey = signerOf(signature, context);
      const document = await verifyAwsDocument(pkcs7, deps.certificates, context.now);
      return {
        selectors: selectors({
          'aws:account': document.accountId,
          'aws:region': document.region,
          'aws:instance': document.instanceId,
          'aws:image': document.imageId,
        }),
        settle: (identity) => settle(deps, { document, hostKey, ...identity }, context),
      };
    },
    entryDefects,
  };
}

function signerOf(armored: string, { proof, now }: AttestContext): string {
  try {
    return verifySshSignature({ armored, namespace: 'signet-attest-v1', message: proof, now }).keyFingerprint;
  } catch (cause) {
    if (!(cause instanceof SshError)) throw cause;
    throw new AttestationError('EVIDENCE_INVALID', `${cause.code}: ${cause.message}`, { cause });
  }
}

type Comer = Parameters<NonNullable<Verified['settle']>>[0] & {
  readonly document: AwsDocument;
  readonly hostKey: string;
};

/** The first to come pins its key; whoever comes later has to hold that key. */
async function settle(deps: AwsDeps, comer: Comer, { correlationId, now }: AttestContext) {
  const { entry, id, document, hostKey } = comer;
  const ref = { id: instanceId(comer), generation: 0 };
  let pinned = (await deps.instances.find(ref.id))?.instance;
  if (pinned === undefined) {
    expectFresh(deps, document, now);
    const begun = await deps.instances.begin({
      id: ref.id,
      entry: entryRef(entry),
      spiffe_id: id.toString(),
      method: 'aws',
      generation: 1,
      next_key: '',
      locked: false,
      host_key: hostKey,
      correlation_id: correlationId,
    });
    if (begun) return ref;
    pinned = (await deps.instances.find(ref.id))?.instance;
  }
  if (pinned?.locked) throw new AttestationError('INSTANCE_LOCKED', `the instance ${ref.id} is locked`);
  if (pinned?.host_key === hostKey) return ref;
  deps.alarms.raise('aws_identity', {
    entry: entryRef(entry),
    instance: ref.id,
    aws_instance: document.instanceId,
    host_key: hostKey,
    expected: pinned?.host_key,
    correlation_id: correlationId,
  });
  throw new AttestationError(
    'INSTANCE_TAKEN',
    `the document of ${document.instanceId} was first shown with another host key than ${hostKey}`,
  );
}

function expectFresh(
  { launchedWithinMs }: AwsDeps,
  { instanceId, pendingTime }: AwsDocument,
  now: Date,
): void {
  const age = now.getTime() - pendingTime.getTime();
  if (launchedWithinMs === null || age <= launchedWithinMs) return;
  throw new AttestationError(
    'DOCUMENT_STALE',
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
      'does not pin both aws:account and aws:instance: anyone may launch an instance, and whoever reads one document could show it';
    defects.push({ pointer: '/match', message });
  }
  for (const [key, value] of Object.entries(match)) {
    const pointer = `/match/${key}`;
    if (FORMS[key] === undefined) defects.push({ pointer, message: 'is not what an identity document says' });
    else if (!FORMS[key].test(value))
      defects.push({ pointer, message: `is not such as AWS gives as ${key}` });
  }
  return defects;
}

/** One entry, one instance of AWS, one pin, ever: the id follows from them, so that check-and-set refuses a second. */
function instanceId({ entry, document: { accountId, region, instanceId } }: Comer): string {
  const text = `signet-aws-v1\n${entryRef(entry)}\n${accountId}\n${region}\n${instanceId}`;
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
