import type { VaultCaller } from '../lib/adapter/documents.ts';
import { sleep } from '../lib/adapter/lifecycle.ts';
import type { Log } from '../lib/adapter/log.ts';
import { SignetError } from '../lib/errors.ts';
import { MOUNTS } from '../lib/grant/index.ts';

/** The keys that challenges are authenticated with: one for each ten minutes, derived by Vault, the same for every broker. */
export interface ChallengeKeys {
  /** @throws VaultError when the epoch's key is not yet known and Vault cannot be asked */
  current(at: Date): Promise<Uint8Array>;
  /** The keys of this epoch and its neighbours: a challenge may be opened in the epoch after its own, by a clock that differs. */
  accepted(at: Date): Promise<Uint8Array[]>;
  /** Whether challenges can be given and opened without asking Vault. */
  readonly ready: boolean;
  /** Fetches each key before it is needed, so that no challenge waits for Vault. Ends when `signal` fires. */
  run(signal: AbortSignal): Promise<void>;
}

class ChallengeKeyError extends SignetError<'CHALLENGE_KEY_UNREADABLE'> {
  override readonly name = 'ChallengeKeyError';
}

const EPOCH_MS = 10 * 60_000;
const REFRESH_MS = 60_000;
const RETRY_MS = 2_000;

/** The number of the ten minutes that an instant lies in. */
function epochOf(at: Date): number {
  return Math.floor(at.getTime() / EPOCH_MS);
}

export function createChallengeKeys(vault: VaultCaller, log: Log, now: () => Date): ChallengeKeys {
  const known = new Map<number, Promise<Uint8Array>>();
  let ready = false;

  const keyOf = (epoch: number): Promise<Uint8Array> => {
    const key = known.get(epoch) ?? derive(vault, epoch);
    if (!known.has(epoch)) {
      known.set(epoch, key);
      key.catch(() => known.delete(epoch));
    }
    return key;
  };
  const neighbours = (at: Date) => {
    const epoch = epochOf(at);
    for (const old of known.keys()) if (Math.abs(old - epoch) > 1) known.delete(old);
    return [epoch, epoch - 1, epoch + 1].map(keyOf);
  };

  return {
    current: (at) => keyOf(epochOf(at)),
    accepted: (at) => Promise.all(neighbours(at)),
    get ready() {
      return ready;
    },
    async run(signal) {
      while (!signal.aborted) {
        let wait = REFRESH_MS;
        try {
          await Promise.all(neighbours(now()));
          ready = true;
        } catch (error) {
          wait = RETRY_MS;
          if (!signal.aborted) log.warn('challenge_keys_unavailable', { reason: error });
        }
        await sleep(wait, signal);
      }
    },
  };
}

async function derive(vault: VaultCaller, epoch: number): Promise<Uint8Array> {
  const input = Buffer.from(`signet-challenge-v1|${epoch}`).toString('base64');
  const { data } = await vault.call<{ hmac?: unknown }>('POST', `${MOUNTS.transit}/hmac/challenge`, {
    input,
  });
  const [, text = ''] = /^vault:v\d+:([A-Za-z0-9+/]{43}=)$/.exec(String(data?.hmac)) ?? [];
  const key = Buffer.from(text, 'base64');
  if (key.length !== 32)
    throw new ChallengeKeyError('CHALLENGE_KEY_UNREADABLE', 'transit gave no HMAC of 32 bytes');
  return key;
}
