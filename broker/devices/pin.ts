import { createHash } from 'node:crypto';
import { type Entry, entryRef, parseIdTemplate } from '../../lib/attestation/index.ts';
import type { SpiffeId } from '../../lib/spiffe/index.ts';
import type { Alarms } from '../alarms.ts';
import type { AttestContext, InstanceRef } from '../attestors/attestor.ts';
import type { Instances } from '../instances.ts';
import { refused } from './refused.ts';

/** Selectors by which one device is told from all others. */
const ONE_DEVICE = ['x509:ins', 'x509:cn', 'x509:serial', 'x509:fingerprint'];

/** Whether an entry gives each device an ID of its own, or is for one device only. */
export function isOfOneDevice({ match, spiffe_id }: Entry): boolean {
  const inId = parseIdTemplate(spiffe_id).segments.flatMap((each) =>
    'selector' in each ? [each.selector] : [],
  );
  return ONE_DEVICE.some((key) => Object.hasOwn(match, key) || inId.includes(key));
}

/**
 * Holds an ID to the key of the device that first had it, in Vault: a manufacturer that certifies the same device a second time, for another key, or
 * whoever made it do so, does not get that ID. Deleting the instance lets another key have it.
 * @throws AttestationError, VaultError, DocumentError
 */
export async function pinKey(
  { instances, alarms }: { readonly instances: Instances; readonly alarms: Alarms },
  device: { readonly entry: Entry; readonly id: SpiffeId; readonly key: string },
  { correlationId }: Pick<AttestContext, 'correlationId'>,
): Promise<InstanceRef> {
  const entry = entryRef(device.entry);
  const spiffeId = device.id.toString();
  const hash = createHash('sha256').update(`signet-x509-v1\n${entry}\n${spiffeId}`).digest('hex');
  // an operator may delete documents of this front and no others
  const id = `device-${hash.slice(0, 32)}`;
  const found = await instances.find(id);
  if (found === undefined) {
    const instance = {
      id,
      entry,
      spiffe_id: spiffeId,
      method: 'x509',
      generation: 1,
      next_key: device.key,
      locked: false,
    };
    if (await instances.begin({ ...instance, correlation_id: correlationId })) return { id, generation: 0 };
  }
  const pinned = found ?? (await instances.find(id));
  if (pinned === undefined || pinned.instance.method !== 'x509' || pinned.instance.spiffe_id !== spiffeId)
    throw refused('INSTANCE_UNKNOWN', `the instance ${id} is not that of this device`);
  if (pinned.instance.locked) throw refused('INSTANCE_LOCKED', `the instance ${id} is locked`);
  if (pinned.instance.next_key !== device.key) {
    alarms.raise('device_moved', { instance: id, entry, spiffe_id: spiffeId, correlation_id: correlationId });
    throw refused('DEVICE_MOVED', `the device of instance ${id} shows another key than it began with`);
  }
  return { id, generation: 0 };
}
