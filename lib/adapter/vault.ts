import { isIP } from 'node:net';
import nodeVault from 'node-vault';
import { type Defect, InputError } from '../errors.ts';
import { Secret } from '../secret.ts';
import { refusal, VaultError } from './vault-error.ts';
import { Transport, type WireReply, type WireRequest } from './vault-transport.ts';

export { VaultError, type VaultErrorCode } from './vault-error.ts';

export type VaultMethod = 'GET' | 'LIST' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export type VaultCall = {
  readonly token?: Secret;
  /** `X-Vault-Wrap-TTL`, such as `60s`. The answer is then in `wrapInfo`. */
  readonly wrapTtl?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Instead of the client's own. */
  readonly timeoutMs?: number;
};

export type VaultAuth = {
  readonly token: Secret;
  readonly accessor: string;
  readonly leaseSeconds: number;
  readonly renewable: boolean;
  readonly policies: readonly string[];
};

export type VaultWrapInfo = {
  readonly token: Secret;
  readonly accessor: string;
  readonly ttlSeconds: number;
  readonly createdAt: Date;
  readonly creationPath: string;
  /** The accessor of the token inside, when a token was wrapped: enough to revoke it, not to use it. */
  readonly wrappedAccessor?: string;
};

/** What Vault answered. `data` is its `data`, unchecked: parse it before you believe it. Undefined when there is none (204). */
export type VaultReply<T> = {
  readonly data: T;
  readonly auth?: VaultAuth;
  readonly wrapInfo?: VaultWrapInfo;
  readonly warnings: readonly string[];
};

export interface Vault extends Disposable {
  /**
   * One call, made once: nothing is retried here, because a single-use token does not survive a second try.
   * `path` is below `/v1/`, its segments as they are in Vault (`signet/data/entries/acme.shop/orders`).
   * @throws VaultError
   */
  request<T = unknown>(
    method: VaultMethod,
    path: string,
    body?: object,
    call?: VaultCall,
  ): Promise<VaultReply<T>>;
}

export type VaultOptions = {
  /** `https://vault.example.org:8200`; plain http on loopback only. */
  readonly address: string;
  /** PEM of the CA(s) that sign Vault's certificate, instead of the system's. */
  readonly caCert?: string;
  readonly namespace?: string;
  /** For one call, whole; 10 s if not given. */
  readonly timeoutMs?: number;
  /** Connections at once; 64 if not given. */
  readonly maxSockets?: number;
};

/**
 * A client for one Vault that holds no token: each call carries its own.
 * @throws InputError when the address or a number cannot be used
 */
export function createVault(options: VaultOptions): Vault {
  const { timeoutMs = 10_000, maxSockets = 64, namespace = '', caCert } = options;
  const address = parseAddress(options.address);
  const transport = new Transport({ address, maxSockets, ...(caCert === undefined ? {} : { caCert }) });
  const client = nodeVault({
    endpoint: address.href,
    'request-promise': { defaults: () => (wire: WireRequest) => exchange(transport, wire) },
    debug: () => undefined,
  });
  // node-vault fills these from the environment: another's token or prefix must not slip in.
  Object.assign(client, {
    token: '',
    namespace,
    pathPrefix: '',
    handleVaultResponse: (r: WireReply) => r.body,
  });

  return {
    async request<T>(method: VaultMethod, path: string, body?: object, call: VaultCall = {}) {
      const what = `${method} ${path}`;
      checkPath(path);
      const timeout = AbortSignal.timeout(call.timeoutMs ?? timeoutMs);
      const signal = call.signal === undefined ? timeout : AbortSignal.any([call.signal, timeout]);
      try {
        const reply = await client.request({
          method: method === 'LIST' ? 'GET' : method,
          path: `/${path}${queryOf(method, call.query)}`,
          headers: headersOf(call),
          signal,
          what,
          ...(body === undefined ? {} : { json: body }),
        });
        return replyOf<T>(reply);
      } catch (cause) {
        if (cause instanceof VaultError && cause.status !== undefined) throw cause;
        throw failure(what, cause, timeout.aborted, call.signal?.aborted === true);
      }
    },
    [Symbol.dispose]: () => transport[Symbol.dispose](),
  };
}

async function exchange(transport: Transport, wire: WireRequest & { what?: string }): Promise<WireReply> {
  const reply = await transport.send(wire);
  if (reply.statusCode < 200 || reply.statusCode > 299) {
    throw refusal(wire.what ?? wire.method, reply.statusCode, reply.body);
  }
  return reply;
}

function failure(what: string, cause: unknown, late: boolean, aborted: boolean): VaultError {
  if (aborted) return new VaultError('VAULT_ABORTED', `${what}: the call was given up`, { cause });
  if (late) return new VaultError('VAULT_TIMEOUT', `${what}: vault did not answer in time`, { cause });
  const reason = cause instanceof VaultError ? cause.message : 'the call failed';
  return new VaultError('VAULT_UNAVAILABLE', `${what}: vault cannot be reached: ${reason}`, { cause });
}

function parseAddress(text: string): URL {
  const defects: Defect[] = [];
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    defects.push({ pointer: '/address', message: 'is not a URL such as https://vault.example.org:8200' });
  } else if (
    url.username !== '' ||
    url.password !== '' ||
    url.search !== '' ||
    url.hash !== '' ||
    url.pathname !== '/'
  ) {
    defects.push({ pointer: '/address', message: 'is scheme, host and port, nothing more' });
  } else if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    defects.push({
      pointer: '/address',
      message: 'is plain http to another machine, which would show it every token: use https',
    });
  }
  if (url === undefined || defects.length > 0) throw new InputError('vault', defects);
  return url;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'));
}

const SEGMENT = /^[A-Za-z0-9._~:@+=*,-]+$/;

/** A path that HTTP or Vault would read as another one (`..`, `//`, `%2F`, a query) never leaves. */
function checkPath(path: string): void {
  const segments = (path.endsWith('/') ? path.slice(0, -1) : path).split('/');
  if (!segments.every((s) => SEGMENT.test(s) && s !== '.' && s !== '..')) {
    throw new VaultError(
      'VAULT_BAD_REQUEST',
      'not a Vault path: a segment is empty, dots, or holds a character to be escaped',
      { status: 0 },
    );
  }
}

function queryOf(method: VaultMethod, query: Readonly<Record<string, string>> = {}): string {
  const text = new URLSearchParams({ ...(method === 'LIST' ? { list: 'true' } : {}), ...query }).toString();
  return text === '' ? '' : `?${text}`;
}

function headersOf({ token, wrapTtl }: VaultCall): Record<string, string> {
  return {
    'X-Vault-Request': 'true',
    ...(token === undefined ? {} : { 'X-Vault-Token': token.reveal() }),
    ...(wrapTtl === undefined ? {} : { 'X-Vault-Wrap-TTL': wrapTtl }),
  };
}

type Wire = {
  data?: unknown;
  warnings?: string[] | null;
  auth?: {
    client_token: string;
    accessor: string;
    lease_duration: number;
    renewable: boolean;
    policies?: string[];
  } | null;
  wrap_info?: {
    token: string;
    accessor: string;
    ttl: number;
    creation_time: string;
    creation_path: string;
    wrapped_accessor?: string;
  } | null;
};

function replyOf<T>(wire: Wire | undefined): VaultReply<T> {
  const { data, auth, wrap_info: wrap, warnings } = wire ?? {};
  return {
    // Vault puts a few answers of sys/ at the top level, without `data`.
    data: (data ?? (auth || wrap ? undefined : wire)) as T,
    warnings: warnings ?? [],
    ...(auth ? { auth: authOf(auth) } : {}),
    ...(wrap ? { wrapInfo: wrapInfoOf(wrap) } : {}),
  };
}

function authOf(auth: NonNullable<Wire['auth']>): VaultAuth {
  return {
    token: new Secret(auth.client_token),
    accessor: auth.accessor,
    leaseSeconds: auth.lease_duration,
    renewable: auth.renewable,
    policies: auth.policies ?? [],
  };
}

function wrapInfoOf(wrap: NonNullable<Wire['wrap_info']>): VaultWrapInfo {
  return {
    token: new Secret(wrap.token),
    accessor: wrap.accessor,
    ttlSeconds: wrap.ttl,
    createdAt: new Date(wrap.creation_time),
    creationPath: wrap.creation_path,
    ...(wrap.wrapped_accessor === undefined ? {} : { wrappedAccessor: wrap.wrapped_accessor }),
  };
}

/** The same client with one token on every call, for code that needs no other. */
export function withToken(vault: Vault, token: Secret): Pick<Vault, 'request'> {
  return { request: (method, path, body, call) => vault.request(method, path, body, { ...call, token }) };
}
