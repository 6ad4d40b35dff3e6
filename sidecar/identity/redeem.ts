import { sleep } from '../../lib/adapter/lifecycle.ts';
import type { Log } from '../../lib/adapter/log.ts';
import { checkWrapping, type Grant } from '../../lib/grant/index.ts';
import type { Secret } from '../../lib/secret.ts';
import { AcquireError } from './acquire-error.ts';
import type { Attested } from './broker-answer.ts';
import type { BrokerConnection } from './broker-client.ts';
import type { ServerClock } from './server-clock.ts';
import type { VaultClient } from './vault-client.ts';

export type Theft = {
  readonly code: 'GRANT_STOLEN' | 'GRANT_FOREIGN';
  readonly spiffeId: string;
  readonly correlationId: string;
};

export type RedeemDeps = {
  readonly serverClock: ServerClock;
  readonly log: Log;
  /** Called when a grant was found spent by someone else, or was made by someone else. */
  readonly onTheft: (theft: Theft) => void;
};

export type Redemption = {
  readonly attested: Attested;
  readonly broker: BrokerConnection;
  readonly vault: VaultClient;
};

/** What the last seconds of a wrapping token may hide: the difference between our idea of its end and Vault's. */
const EXPIRY_MARGIN_MS = 2_000;
const LOOKUPS = 5;
const LOOKUP_PAUSE_MS = 200;
const PASSING: ReadonlySet<string> = new Set(['VAULT_UNREACHABLE', 'VAULT_UNAVAILABLE']);

/**
 * Looks before it unwraps, and tells a theft from a grant that ran out.
 * @throws AcquireError `GRANT_STOLEN`, `GRANT_FOREIGN`, `GRANT_EXPIRED`, or what Vault's calls throw
 */
export async function redeem(
  deps: RedeemDeps,
  { attested, broker, vault }: Redemption,
  signal: AbortSignal,
): Promise<Secret> {
  const { grant, correlationId } = attested;
  const lookup = await lookUp(vault, grant, signal);
  if (lookup !== null) {
    try {
      checkWrapping(lookup, grant);
    } catch (cause) {
      deps.onTheft(theft('GRANT_FOREIGN', attested));
      throw new AcquireError('GRANT_FOREIGN', 'the grant was not made by the call that the broker names', {
        correlationId,
        cause,
      });
    }
    const token = await vault.unwrap(grant, signal);
    if (token !== null) return token;
  }
  if (deps.serverClock.now().getTime() >= grant.expiresAt.getTime() - EXPIRY_MARGIN_MS)
    throw new AcquireError('GRANT_EXPIRED', 'the grant ran out before it was used', { correlationId });
  deps.onTheft(theft('GRANT_STOLEN', attested));
  await broker
    .alarm(correlationId, grant.wrappingToken, signal)
    .catch((error: unknown) =>
      deps.log.warn('alarm_not_delivered', { correlation_id: correlationId, error }),
    );
  throw new AcquireError('GRANT_STOLEN', 'someone else has used the grant', { correlationId });
}

/** A look-up costs nothing, so it may be tried again; a join code has been spent for this grant, and there may be no second one. */
async function lookUp(vault: VaultClient, grant: Grant, signal: AbortSignal) {
  for (let tries = 1; ; tries++) {
    try {
      return await vault.lookup(grant.wrappingToken, signal);
    } catch (error) {
      const passing = error instanceof AcquireError && PASSING.has(error.code);
      if (!passing || tries === LOOKUPS || signal.aborted) throw error;
      await sleep(LOOKUP_PAUSE_MS * tries, signal);
    }
  }
}

function theft(code: Theft['code'], { id, correlationId }: Attested): Theft {
  return { code, spiffeId: id.toString(), correlationId };
}
