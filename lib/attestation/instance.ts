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
};

/** `advance`: a renewal in order. `repeat`: the answer to the last one was lost; the same holder asks again. `clone`: two holders. */
export type RenewalVerdict =
  | { readonly kind: 'advance'; readonly instance: Instance }
  | { readonly kind: 'repeat'; readonly instance: Instance }
  | { readonly kind: 'locked' }
  | { readonly kind: 'clone'; readonly instance: Instance };

/**
 * Judges a renewal by generation number. A holder announces the hash of its *next* key with each renewal. A lost answer is
 * therefore told from a theft: the same generation again is the same holder only if it announces the same next key, which a copy
 * made before that renewal cannot know. Any other old (or future) number means that two hold this identity: the instance is locked.
 */
export function judgeRenewal(
  instance: Instance,
  asked: { generation: number; nextKey: string },
): RenewalVerdict {
  if (instance.locked) return { kind: 'locked' };
  if (asked.generation === instance.generation) {
    return {
      kind: 'advance',
      instance: { ...instance, generation: instance.generation + 1, next_key: asked.nextKey },
    };
  }
  if (
    instance.next_key !== '' &&
    asked.generation === instance.generation - 1 &&
    asked.nextKey === instance.next_key
  ) {
    return { kind: 'repeat', instance };
  }
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
  check('join', raw['join'] === undefined || typeof raw['join'] === 'string');
  if (defects.length > 0) throw new InputError('instance', defects);
  return raw as unknown as Instance;
}
