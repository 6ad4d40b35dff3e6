import { exchange, field, MAX_ANSWER_BYTES, type Reply } from '../../lib/adapter/exchange.ts';
import { Agent as HttpAgent, request as httpRequest } from '../../lib/adapter/http.ts';
import type { Grant } from '../../lib/grant/index.ts';
import { Secret } from '../../lib/secret.ts';
import { AcquireError } from './acquire-error.ts';

/** `ca`: PEM; null: the public authorities. */
export type VaultTarget = {
  readonly address: URL;
  readonly namespace: string | null;
  readonly ca: string | null;
};

/** PEM, the leaf first, as Vault gives it. */
export type SignedChain = readonly [leaf: string, ...issuers: string[]];

/** The three calls a sidecar makes to Vault, each once: a token that may have been used is never sent again. */
export interface VaultClient extends Disposable {
  /** What made this wrapping token; null when the token is gone. It stays as it was: a look-up is free. */
  lookup(wrappingToken: Secret, signal: AbortSignal): Promise<{ readonly creation_path: unknown } | null>;
  /** The single-use token inside; null when the wrapping token is gone. */
  unwrap(grant: Grant, signal: AbortSignal): Promise<Secret | null>;
  sign(token: Secret, order: SignOrder, signal: AbortSignal): Promise<SignedChain>;
}

export type SignOrder = {
  readonly mount: string;
  readonly role: string;
  readonly csr: string;
  readonly uri_sans: string;
  readonly ttl: string;
};

const ANSWER_MS = 10_000;
/** Vault's own words (1.19 to 1.21) for a wrapping token that was used, has run out, or never was. */
const GONE = 'wrapping token is not valid or does not exist';

/**
 * Methods throw AcquireError: `VAULT_UNREACHABLE`, `VAULT_UNAVAILABLE` (sealed, standby, over its quota), `VAULT_REFUSED`,
 * `VAULT_ANSWER`. None carries a token or Vault's words.
 */
export async function createVaultClient({ address, namespace, ca }: VaultTarget): Promise<VaultClient> {
  const secure = address.protocol === 'https:';
  // Plain HTTP is for a Vault on this machine; node:https would be loaded for nothing.
  const { Agent, request } = secure ? await import('node:https') : { Agent: HttpAgent, request: httpRequest };
  const trust = { rejectUnauthorized: true, ...(ca === null ? {} : { ca }) };
  const agent = new Agent({ keepAlive: true, ...(secure ? trust : {}) });
  const call = async (path: string, token: Secret | null, body: object | undefined, signal: AbortSignal) => {
    const headers = {
      'X-Vault-Request': 'true',
      ...(token === null ? {} : { 'X-Vault-Token': token.reveal() }),
      ...(namespace === null ? {} : { 'X-Vault-Namespace': namespace }),
    };
    const open = (bound: AbortSignal) =>
      request(new URL(`/v1/${path}`, address), { agent, method: 'POST', headers, signal: bound });
    try {
      return await exchange(open, body, { timeoutMs: ANSWER_MS, maxBytes: MAX_ANSWER_BYTES }, signal);
    } catch (cause) {
      throw new AcquireError('VAULT_UNREACHABLE', `Vault did not answer ${path}`, { cause });
    }
  };
  return {
    async lookup(wrappingToken, signal) {
      const reply = await call('sys/wrapping/lookup', null, { token: wrappingToken.reveal() }, signal);
      if (isGone(reply)) return null;
      return { creation_path: field(data(reply, 'sys/wrapping/lookup'), 'creation_path') };
    },
    async unwrap(grant, signal) {
      const reply = await call('sys/wrapping/unwrap', grant.wrappingToken, undefined, signal);
      if (isGone(reply)) return null;
      check(reply, 'sys/wrapping/unwrap');
      const token = field(field(reply.body, 'auth'), 'client_token');
      if (typeof token !== 'string' || token === '')
        throw new AcquireError('VAULT_ANSWER', 'what Vault unwrapped is not a token');
      return new Secret(token);
    },
    async sign(token, { mount, role, ...order }, signal) {
      const path = `${mount}/sign/${role}`;
      const signed = data(await call(path, token, { ...order, format: 'pem' }, signal), path);
      const [leaf, issuers] = [field(signed, 'certificate'), field(signed, 'ca_chain') ?? []];
      if (
        typeof leaf !== 'string' ||
        !Array.isArray(issuers) ||
        issuers.some((pem) => typeof pem !== 'string')
      )
        throw new AcquireError('VAULT_ANSWER', `Vault's answer to ${path} holds no certificate`);
      return [leaf, ...issuers];
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

function isGone(reply: Reply): boolean {
  const errors = field(reply.body, 'errors');
  return reply.status === 400 && Array.isArray(errors) && errors.includes(GONE);
}

function data(reply: Reply, path: string): unknown {
  check(reply, path);
  return field(reply.body, 'data');
}

function check({ status }: Reply, path: string): void {
  if (status === 200) return;
  const detail = { reason: `status_${status}` };
  if (status === 429 || status === 472 || status === 473 || status >= 500)
    throw new AcquireError('VAULT_UNAVAILABLE', `Vault cannot serve ${path} now`, detail);
  throw new AcquireError('VAULT_REFUSED', `Vault refused ${path}`, detail);
}
