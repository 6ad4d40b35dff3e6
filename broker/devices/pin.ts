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

/** Who shows a key, and what the key is held to. */
export type Comer = {
  readonly entry: Entry;
  readonly id: SpiffeId;
  readonly method: string;
  /** What keeps the key that first came for it: a text that no other subject, and no other method, has. */
  readonly subject: string;
  /** The key by its hash. */
  readonly key: string;
  /** Called before a key is pinned, not for one that is. @throws AttestationError where this one may not be */
  first?(): void;
};

/**
 * Holds a subject to the key that first came for it, in Vault: who has a second certificate for the same device, or has copied the document of a
 * cloud's instance, does not get its ID. Deleting the instance lets another key have it.
 * @throws AttestationError, VaultError, DocumentError
 */
export async function pinKey(
  { instances, alarms }: { readonly instances: Instances; readonly alarms: Alarms },
  { id: spiffeId, method, subject, key, ...comer }: Comer,
  { correlationId }: Pick<AttestContext, 'correlationId'>,
): Promise<InstanceRef> {
  const entry = entryRef(comer.entry);
  // an operator may delete documents of this front and no others
  const id = `device-${createHash('sha256').update(subject).digest('hex').slice(0, 32)}`;
  const found = await instances.find(id);
  if (found === undefined) {
    comer.first?.();
    const instance = {
      id,
      entry,
      spiffe_id: spiffeId.toString(),
      method,
      generation: 1,
      next_key: key,
      locked: false,
    };
    if (await instances.begin({ ...instance, correlation_id: correlationId })) return { id, generation: 0 };
  }
  const pinned = found ?? (await instances.find(id));
  if (pinned?.instance.method !== method)
    throw refused('INSTANCE_UNKNOWN', `the instance ${id} is not that of this device`);
  if (pinned.instance.locked) throw refused('INSTANCE_LOCKED', `the instance ${id} is locked`);
  if (pinned.instance.next_key !== key) {
    alarms.raise('device_moved', { instance: id, entry, spiffe_id: spiffeId, correlation_id: correlationId });
    throw refused('DEVICE_MOVED', `the device of instance ${id} shows another key than it began with`);
  }
  return { id, generation: 0 };
}
