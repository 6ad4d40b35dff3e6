import { type Defect, InputError } from '../errors.ts';

/** One running holder of an identity, as Vault keeps it: who it is and which renewal comes next. */
export type Instance = {
  readonly id: string;
  readonly entry: string;
  readonly spiffe_id: string;
  readonly method: string;
  /** The number its holder must show at the next renewal; each accepted renewal raises it. */
  readonly generation: number;
  /** SHA-256 (hex) of the public key (SPKI DER) announced with the last accepted renewal. Empty before the first. */
  readonly next_key: string;
  readonly locked: boolean;
  /** The join code that began it, by its id. */
  readonly join?: string;
  /** The host key (`SHA256:…`) that began it, and that alone may go on with it. Then no SVID renews it. */
  readonly host_key?: string;
  /** The attestation that began it: two writers of one instance are told apart by this. */
  readonly correlation_id?: string;
};

/** `advance`: a renewal in order. `repeat`: the same holder asks for the last one again. `clone`: two holders. */
export type RenewalVerdict =
  | { readonly kind: 'advance'; readonly instance: Instance }
  | { readonly kind: 'repeat'; readonly instance: Instance }
  | { readonly kind: 'locked' }
  | { readonly kind: 'clone'; readonly instance: Instance };

/** What a holder shows at a renewal. Both keys are SHA-256 (hex) of the SPKI DER. */
export type Renewal = {
  readonly generation: number;
  /** The key of the SVID it renews with. */
  readonly key: string;
  /** The key it announces for the SVID it asks for. */
  readonly nextKey: string;
};

/**
 * Judges a renewal. A holder announces with each renewal the key of its *next* SVID, and the renewal after that must be shown with that
 * key: a copy of an older key does not advance, whatever number it guesses.
 *
 * A holder whose answer was lost, or whose grant came to nothing, still has the SVID from before. It asks again with the key it has
 * announced already, under the old number or the new one; a copy made before that announcement cannot know the key. All else
 * means that two hold this identity, and locks the instance: which of the two is the thief cannot be told.
 */
export function judgeRenewal(instance: Instance, asked: Renewal): RenewalVerdict {
  const { generation, next_key: announced } = instance;
  if (instance.locked) return { kind: 'locked' };
  const holdsAnnounced = announced === '' || asked.key === announced;
  if (holdsAnnounced && asked.generation === generation) {
    return {
      kind: 'advance',
      instance: { ...instance, generation: generation + 1, next_key: asked.nextKey },
    };
  }
  const asksAgain = asked.generation === generation || asked.generation === generation - 1;
  if (!holdsAnnounced && asksAgain && asked.nextKey === announced) return { kind: 'repeat', instance };
  return { kind: 'clone', instance: { ...instance, locked: true } };
}

/**
 * Reads an instance back from Vault.
 * @throws InputError when it is not one: unreadable means refuse
 */
export function parseInstance(value: unknown): Instance {
  const raw = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const defects: Defect[] = [];
  const check = (field: string, good: boolean) => {
    if (!good) defects.push({ pointer: `/${field}`, message: 'is missing or of the wrong kind' });
  };
  for (const field of ['id', 'entry', 'spiffe_id', 'method', 'next_key'])
    check(field, typeof raw[field] === 'string');
  check('generation', Number.isSafeInteger(raw['generation']) && (raw['generation'] as number) >= 1);
  check('locked', typeof raw['locked'] === 'boolean');
  for (const field of ['join', 'host_key', 'correlation_id'])
    check(field, raw[field] === undefined || typeof raw[field] === 'string');
  if (defects.length > 0) throw new InputError('instance', defects);
  return raw as unknown as Instance;
}
