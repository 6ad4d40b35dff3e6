import type { Clock } from '../../lib/adapter/clock.ts';
import { readDocument, type VaultCaller } from '../../lib/adapter/documents.ts';
import type { Log } from '../../lib/adapter/log.ts';
import { type Vault, type VaultAuth, VaultError } from '../../lib/adapter/vault.ts';
import { InputError } from '../../lib/errors.ts';
import type { Secret } from '../../lib/secret.ts';
import {
  type Access,
  type Delegation,
  delegationPath,
  isDelegationName,
  jwtMount,
  parseDelegation,
  roleName,
  runPolicy,
} from '../../lib/vault-layout/delegations/index.ts';
import { Problem } from '../problem.ts';
import { createIssuerKeys } from './issuer-keys.ts';
import { judgeRunToken, RunFault, readRunToken } from './run-token.ts';
import { createSpent } from './spent.ts';

export type Asked = {
  readonly delegation: string;
  readonly token: Secret;
  readonly source: string;
  readonly correlationId: string;
};

/** The right that Vault gave the run. The broker hands it on and keeps nothing of it. */
export type Redeemed = {
  readonly delegation: Delegation;
  readonly access: Access;
  readonly token: Secret;
  readonly expiresAt: Date;
};

export type RedeemingDeps = {
  /** Without a token of its own: who logs in is the run. */
  readonly vault: Vault;
  readonly session: VaultCaller;
  readonly clock: Clock;
  readonly log: Log;
  /** Told how each token was answered: by the code of its refusal, or `write` or `read`. */
  readonly count: (outcome: string) => void;
};

/**
 * Turns a run's token into the right to register, or, of a run that only plans, to look. The order is this: the token is judged, it is
 * spent, and only then Vault is shown it, which judges it again and gives the right: the broker has none to give.
 */
export interface Redeeming extends Disposable {
  /** @throws Problem, VaultError */
  redeem(asked: Asked): Promise<Redeemed>;
}

export function createRedeeming({ vault, session, clock, log, count }: RedeemingDeps): Redeeming {
  const keys = createIssuerKeys({ clock, log });
  const now = () => clock.now();
  const spent = createSpent({ vault: session, log, now });

  const find = async (name: string): Promise<Delegation | RunFault> => {
    const none = new RunFault('run_not_delegated', 'no delegation of that name');
    if (!isDelegationName(name)) return none;
    const document = await ours(readDocument(session, delegationPath(name)));
    if (document === undefined) return none;
    try {
      const delegation = parseDelegation(document.value);
      if (delegation.name === name) return delegation;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
    log.error('delegation_unreadable', { delegation: name });
    return none;
  };

  const decide = async ({ delegation: name, token }: Asked): Promise<Redeemed | RunFault> => {
    const read = readRunToken(token.reveal());
    if (read instanceof RunFault) return read;
    const delegation = await find(name);
    if (delegation instanceof RunFault) return delegation;
    const { issuer } = delegation;
    const run = await judgeRunToken(read, delegation, keys.of(issuer), () => now().getTime());
    if (run instanceof RunFault) return run;
    const shown = { issuer: issuer.url, ...run };
    if (!(await ours(spent.spend(shown)))) return new RunFault('run_token_spent', 'shown before');
    const auth = await logIn(vault, delegation, run.access, token).catch(async (error: unknown) => {
      // whatever Vault may have given, nobody has received it
      if (isAway(error)) await spent.restore(shown);
      throw new Problem(isAway(error) ? 'vault_unavailable' : 'run_not_delegated', {
        cause: error,
        ...(isAway(error) ? { retryAfterSeconds: 1 } : {}),
      });
    });
    const [policy, ...more] = auth.policies;
    if (policy !== runPolicy(delegation, run.access) || more.length > 0) {
      await vault.request('POST', 'auth/token/revoke-self', {}, { token: auth.token }).catch(() => undefined);
      return new RunFault(
        'run_not_delegated',
        'Vault gives other rights than the delegation: signet vault doctor',
      );
    }
    const expiresAt = new Date(now().getTime() + auth.leaseSeconds * 1_000);
    return { delegation, access: run.access, token: auth.token, expiresAt };
  };

  return {
    async redeem(asked) {
      const about = {
        correlation_id: asked.correlationId,
        delegation: asked.delegation,
        source: asked.source,
      };
      const outcome = await decide(asked).catch((error: unknown) => {
        count(error instanceof Problem ? error.code : 'vault_unavailable');
        log.warn('run_refused', { ...about, reason: error });
        throw error;
      });
      if (outcome instanceof RunFault) {
        count(outcome.code);
        log.warn('run_refused', { ...about, code: outcome.code, reason: outcome.reason });
        throw new Problem(
          outcome.code,
          outcome.code === 'issuer_unavailable' ? { retryAfterSeconds: 1 } : {},
        );
      }
      count(outcome.access);
      log.info('run_delegated', { ...about, access: outcome.access, tenant: outcome.delegation.tenant });
      return outcome;
    },
    [Symbol.dispose]: () => keys[Symbol.dispose](),
  };
}

async function logIn(
  vault: Vault,
  delegation: Delegation,
  access: Access,
  token: Secret,
): Promise<VaultAuth> {
  const body = { role: roleName(delegation, access), jwt: token.reveal() };
  const { auth } = await vault.request('POST', `auth/${jwtMount(delegation)}/login`, body);
  if (auth === undefined) throw new VaultError('VAULT_UNAVAILABLE', 'a log-in without a token', {});
  return auth;
}

/** What the broker's own token is denied is no fault of the caller's. */
async function ours<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    throw new Problem('vault_unavailable', { cause, retryAfterSeconds: 1 });
  }
}

const REFUSALS = ['VAULT_DENIED', 'VAULT_BAD_REQUEST', 'VAULT_NOT_FOUND'];

function isAway(error: unknown): boolean {
  return !(error instanceof VaultError && REFUSALS.includes(error.code));
}
