import { createHash } from 'node:crypto';
import { selectors } from '../../lib/attestation/index.ts';
import { checkLeaf, checkPeer, type PeerSvid, readCertificate, SvidError } from '../../lib/svid/index.ts';
import type { Alarms } from '../alarms.ts';
import type { Instances, Stored } from '../instances.ts';
import { AttestationError, type AttestContext, type Attestor, type PeerCertificate } from './attestor.ts';

export type SvidDeps = { readonly instances: Instances; readonly alarms: Alarms };
type Evidence = { readonly instance_id: string; readonly generation: number; readonly next_key: string };

/** A workload that began with a join code proves itself with its current SVID, over mTLS, and the number of its renewal. */
export function svid({ instances, alarms }: SvidDeps): Attestor {
  return {
    method: 'svid',
    evidence: {
      type: 'object',
      properties: {
        instance_id: { type: 'string', pattern: '^[0-9a-f]{32}$' },
        generation: { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
        next_key: {
          type: 'string',
          pattern: '^[0-9a-f]{64}$',
          description: 'SHA-256 of the SPKI (DER) of the key that the new SVID shall be for',
        },
      },
      required: ['instance_id', 'generation', 'next_key'],
      additionalProperties: false,
    },
    async verify(evidence, context) {
      const { instance_id, generation, next_key } = evidence as Evidence;
      const { peer, key } = trustedPeer(context.peer, context);
      const stored = await instances.find(instance_id);
      if (!renewable(stored) || stored.instance.spiffe_id !== peer.id.toString()) {
        throw new AttestationError('INSTANCE_UNKNOWN', `${peer.id} has no instance of that id`);
      }
      return {
        selectors: selectors({ 'svid:id': peer.id.toString(), 'svid:serial': peer.serial }),
        held: { entry: stored.instance.entry, id: peer.id, serial: peer.serial },
        settle: () => settle(stored, { generation, key, nextKey: next_key }, peer, context),
      };
    },
    entryDefects: () => [
      { pointer: '/match', message: 'is of svid: a renewal is by the entry that the workload began with' },
    ],
  };

  async function settle(
    stored: Stored,
    asked: { generation: number; key: string; nextKey: string },
    peer: PeerSvid,
    { correlationId }: AttestContext,
  ) {
    const renewed = await instances.renew(stored, asked);
    const { id, entry } = stored.instance;
    if (renewed.kind === 'locked')
      throw new AttestationError('INSTANCE_LOCKED', `the instance ${id} is locked`);
    if (renewed.kind === 'clone') {
      alarms.raise('clone', {
        instance: id,
        entry,
        spiffe_id: peer.id,
        serial: peer.serial,
        generation: asked.generation,
        expected: stored.instance.generation,
        correlation_id: correlationId,
      });
      throw new AttestationError(
        'INSTANCE_CLONED',
        `two hold the identity of instance ${id}: it is locked now`,
      );
    }
    return { id, generation: renewed.instance.generation };
  }
}

/** Where a host key goes on with an instance, an SVID must not: whoever copied one could then do without the key. */
function renewable(stored: Stored | undefined): stored is Stored {
  return stored !== undefined && stored.instance.host_key === undefined;
}

/** OpenSSL judged the chain when the connection was made; it is judged again by the authorities of now. */
export function trustedPeer(
  shown: PeerCertificate | undefined,
  { trustDomain, bundle, now }: Pick<AttestContext, 'trustDomain' | 'bundle' | 'now'>,
): { peer: PeerSvid; key: string } {
  const [leafDer] = shown?.chainDer ?? [];
  if (shown === undefined || leafDer === undefined)
    throw new AttestationError('CERTIFICATE_MISSING', 'no client certificate was shown');
  if (!shown.authorized)
    throw new AttestationError(
      'CERTIFICATE_UNTRUSTED',
      'the client certificate does not chain to the bundle',
    );
  try {
    const peer = checkPeer(leafDer, { trustDomain, now });
    const { spkiDer } = readCertificate(leafDer);
    checkLeaf({
      chainDer: shown.chainDer,
      bundle,
      expectedId: peer.id,
      ownPublicKeySpkiDer: spkiDer,
      now,
      maxSkewMs: 0,
    });
    return { peer, key: createHash('sha256').update(spkiDer).digest('hex') };
  } catch (cause) {
    if (!(cause instanceof SvidError)) throw cause;
    throw new AttestationError('CERTIFICATE_INVALID', `${cause.code}: ${cause.message}`, { cause });
  }
}
