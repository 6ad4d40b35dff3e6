import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

export interface VaultAnswer {
  readonly status: number;
  /** The parsed JSON document; undefined when the answer has no body. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects to find, and fails when it is not there
  readonly body: any;
}

export interface VaultRequestOptions {
  /** An empty text sends no token. */
  readonly token?: string;
  /** Such as `60s`: the answer comes wrapped. */
  readonly wrapTtl?: string;
  readonly namespace?: string;
}

/** `path` is what follows `/v1/`, query included. */
export type VaultRequest = (
  method: string,
  path: string,
  body?: unknown,
  options?: VaultRequestOptions,
) => Promise<VaultAnswer>;

/** Calls to one Vault, each on a connection of its own, so that a restart of Vault leaves no dead ones behind. */
export function vaultRequester(address: string, ca?: string): VaultRequest {
  const send = address.startsWith('https:') ? httpsRequest : httpRequest;
  return (method, path, body, options = {}) =>
    new Promise((resolve, reject) => {
      const payload = body === undefined ? undefined : JSON.stringify(body);
      const outgoing = send(
        `${address}/v1/${path}`,
        { method, agent: false, timeout: 10_000, headers: headers(payload, options), ...(ca ? { ca } : {}) },
        (incoming) => {
          let text = '';
          incoming.setEncoding('utf8');
          incoming.on('data', (chunk: string) => {
            text += chunk;
          });
          incoming.on('error', reject);
          incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body: parse(text) }));
        },
      );
      outgoing.on('timeout', () =>
        outgoing.destroy(new Error(`Vault did not answer ${method} ${path} in 10 s`)),
      );
      outgoing.on('error', reject);
      outgoing.end(payload);
    });
}

function headers(payload: string | undefined, { token, wrapTtl, namespace }: VaultRequestOptions) {
  return {
    'x-vault-request': 'true',
    ...(payload === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
    ...(token ? { 'x-vault-token': token } : {}),
    ...(wrapTtl ? { 'x-vault-wrap-ttl': wrapTtl } : {}),
    ...(namespace ? { 'x-vault-namespace': namespace } : {}),
  };
}

/** Some of Vault's answers are PEM or DER, not JSON; those stay text. */
function parse(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
