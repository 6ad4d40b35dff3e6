import { sleep } from '../lib/adapter/lifecycle.ts';
import type { Log } from '../lib/adapter/log.ts';
import type { Vault, VaultMethod, VaultReply } from '../lib/adapter/vault.ts';
import { VaultError, type VaultErrorCode } from '../lib/adapter/vault.ts';
import { retryDelay } from '../lib/rotation/index.ts';
import type { Secret } from '../lib/secret.ts';
import { logInToVault, type VaultLogin } from './vault-login.ts';

/** Vault with the broker's own credential. */
export interface Session extends AsyncDisposable {
  /**
   * One call. A token that Vault no longer knows (a restarted Vault) is replaced by logging in, and the call made again; so is a
   * call whose kept-alive connection turned out dead. Both only once.
   * @throws VaultError
   */
  call<T = unknown>(
    method: VaultMethod,
    path: string,
    body?: object,
    options?: { readonly wrapTtl?: string },
  ): Promise<VaultReply<T>>;
  /** Why Vault was no use at the last call, undefined while it is. */
  readonly failure: VaultErrorCode | undefined;
  /** Keeps the log-in alive until `signal` fires; a Vault that is away, sealed or slow is tried again, for ever. */
  run(signal: AbortSignal): Promise<void>;
}

export type SessionDeps = {
  readonly vault: Vault;
  readonly login: VaultLogin;
  readonly log: Log;
  /** In [0, 1). */
  readonly random: () => number;
  /** Gives up every call that is under way: the broker is about to be gone. */
  readonly ended: AbortSignal;
};

type Held = { readonly token: Secret; readonly leaseMs: number; readonly since: number };

const LONGEST_WAIT_MS = 5_000;
const AWAY: ReadonlySet<VaultErrorCode> = new Set(['VAULT_UNAVAILABLE', 'VAULT_TIMEOUT', 'VAULT_SEALED']);

export function createSession(deps: SessionDeps): Session {
  const { vault, log, ended } = deps;
  let held: Held | undefined;
  let failure: VaultErrorCode | undefined = 'VAULT_UNAVAILABLE';
  /** Whoever is not let in is no use either, whatever Vault answers to others. */
  let loginFailure: VaultErrorCode | undefined;
  let underWay: Promise<Held> | undefined;
  /** After a log-in that failed, callers hear its error until the next try is due: they must not hammer Vault. */
  let refused: { readonly until: number; readonly error: unknown } | undefined;
  let woken = new AbortController();

  /** Whoever needs a token while a log-in is under way waits for that one. */
  const login = () => {
    underWay ??= logIn(deps)
      .then((fresh) => {
        held = fresh;
        refused = undefined;
        loginFailure = undefined;
        woken.abort();
        return fresh;
      })
      .catch((error: unknown) => {
        if (error instanceof VaultError) loginFailure = error.code;
        throw error;
      })
      .finally(() => {
        underWay = undefined;
      });
    return underWay;
  };

  const tokenNow = async () => {
    if (held !== undefined && !spent(held)) return held;
    if (refused !== undefined && performance.now() < refused.until) throw refused.error;
    return await login();
  };

  const renew = async (current: Held) => {
    const { auth } = await vault.request(
      'POST',
      'auth/token/renew-self',
      {},
      { token: current.token, signal: ended },
    );
    const leaseMs = (auth?.leaseSeconds ?? 0) * 1000;
    // Near the credential's longest life Vault renews for less and less: begin anew before it ends.
    if (leaseMs < current.leaseMs / 2) await login();
    else held = { token: current.token, leaseMs: current.leaseMs, since: performance.now() };
  };

  const keep = async () => {
    if (held === undefined || spent(held)) {
      await login();
      log.info('vault_login');
      return;
    }
    if (performance.now() < renewalDue(held)) return;
    try {
      await renew(held);
    } catch (error) {
      if (!(error instanceof VaultError) || error.code !== 'VAULT_DENIED') throw error;
      held = undefined;
      await login();
      log.info('vault_login', { reason: 'token_gone' });
    }
  };

  const once = async <T>(method: VaultMethod, path: string, body: object | undefined, wrapTtl?: string) => {
    const used = await tokenNow();
    try {
      return await vault.request<T>(method, path, body, {
        token: used.token,
        signal: ended,
        ...(wrapTtl === undefined ? {} : { wrapTtl }),
      });
    } catch (error) {
      if (error instanceof VaultError && error.tokenInvalid && held === used) held = undefined;
      throw error;
    }
  };

  return {
    get failure() {
      return loginFailure ?? failure;
    },
    async call<T>(method: VaultMethod, path: string, body?: object, options: { wrapTtl?: string } = {}) {
      try {
        const reply = await once<T>(method, path, body, options.wrapTtl).catch((error: unknown) => {
          if (!worthAnotherTry(error)) throw error;
          return once<T>(method, path, body, options.wrapTtl);
        });
        failure = undefined;
        return reply;
      } catch (error) {
        if (error instanceof VaultError) failure = AWAY.has(error.code) ? error.code : undefined;
        throw error;
      }
    },
    async run(signal) {
      for (let attempt = 0; !signal.aborted; ) {
        let wait: number;
        woken = new AbortController();
        try {
          await keep();
          attempt = 0;
          wait = held === undefined ? 0 : Math.max(0, renewalDue(held) - performance.now());
        } catch (error) {
          if (ended.aborted) return;
          attempt++;
          wait = Math.min(LONGEST_WAIT_MS, retryDelay(attempt, deps.random()));
          refused = { until: performance.now() + wait, error };
          log.warn('vault_login_failed', { attempt, retry_ms: wait, reason: error });
        }
        await sleep(wait, AbortSignal.any([signal, woken.signal]));
      }
    },
    async [Symbol.asyncDispose]() {
      if (held === undefined) return;
      const { token } = held;
      held = undefined;
      await vault
        .request('POST', 'auth/token/revoke-self', {}, { token, timeoutMs: 1_000 })
        .catch((error: unknown) => log.warn('vault_logout_failed', { reason: error }));
    },
  };
}

async function logIn({ vault, login, ended }: SessionDeps): Promise<Held> {
  const auth = await logInToVault(vault, login, ended);
  return { token: auth.token, leaseMs: auth.leaseSeconds * 1000, since: performance.now() };
}

function renewalDue({ since, leaseMs }: Held): number {
  return since + (leaseMs * 2) / 3;
}

function spent({ since, leaseMs }: Held): boolean {
  return performance.now() >= since + leaseMs;
}

/** A connection that broke before an answer: nothing the broker sends is harmed by being sent twice. */
function worthAnotherTry(error: unknown): boolean {
  return (
    error instanceof VaultError &&
    (error.tokenInvalid || (error.code === 'VAULT_UNAVAILABLE' && error.status === undefined))
  );
}
