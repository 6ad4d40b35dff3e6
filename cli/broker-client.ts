import { readFileSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import { brokerTls } from '../lib/adapter/broker-tls.ts';
import { ExchangeError, exchange, field, MAX_ANSWER_BYTES } from '../lib/adapter/exchange.ts';
import { type Defect, InputError, SignetError } from '../lib/errors.ts';
import { parseTrustDomain } from '../lib/spiffe/index.ts';
import { type BrokerSettings, connectError } from '../sidecar/identity/broker-client.ts';

export { BROKER_ENVIRONMENT } from './environment.ts';

/** A refusal of the broker, with the `code` of its problem document. */
class BrokerRefusal extends SignetError {
  override readonly name = 'BrokerRefusal';
}

export interface BrokerClient extends Disposable {
  /**
   * One call of the broker's API.
   * @throws BrokerRefusal with the problem's code; AcquireError when the broker is not reached or not to be trusted
   */
  call(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: object): Promise<unknown>;
}

/** `MAX_ANSWER_BYTES` is a sidecar's bound; a list of entries may be longer. */
const MAX_LIST_BYTES = 64 * MAX_ANSWER_BYTES;
const ANSWER_MS = 30_000;

/**
 * Where the environment says the broker is, and by what it is known.
 * @throws InputError naming every variable that is missing or cannot be used
 */
export function brokerSettings(env: NodeJS.ProcessEnv): BrokerSettings {
  const defects: Defect[] = [];
  const read = <T>(name: string, parse: (text: string) => T): T | undefined => {
    const text = env[name];
    if (!text) defects.push({ pointer: name, message: 'is missing' });
    else {
      try {
        return parse(text);
      } catch (error) {
        const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
        defects.push({ pointer: name, message: `cannot be used: ${why}` });
      }
    }
    return undefined;
  };
  const url = read('SIGNET_BROKER_URL', httpsUrl);
  const ca = read('SIGNET_BROKER_CA', (file) => readFileSync(file, 'utf8'));
  const trustDomain = read('SIGNET_TRUST_DOMAIN', parseTrustDomain);
  if (url === undefined || ca === undefined || trustDomain === undefined) {
    throw new InputError('environment', defects);
  }
  return { url, ca, trustDomain };
}

/** A client of the broker that the environment names, speaking with the caller's own Vault token if there is one. */
export function openBroker(env: NodeJS.ProcessEnv): BrokerClient {
  const settings = brokerSettings(env);
  const token = env['VAULT_TOKEN'];
  if (token && !/^[\x21-\x7e]+$/.test(token)) {
    throw new InputError('environment', [{ pointer: 'VAULT_TOKEN', message: 'is not a token' }]);
  }
  const agent = new Agent({ keepAlive: true, maxCachedSessions: 0, ...brokerTls(settings) });
  return {
    async call(method, path, body) {
      const headers = { Accept: 'application/json', ...(token ? { 'X-Vault-Token': token } : {}) };
      const open = (signal: AbortSignal) =>
        httpsRequest(new URL(path, settings.url), { agent, method, headers, signal });
      const bounds = { timeoutMs: ANSWER_MS, maxBytes: MAX_LIST_BYTES };
      const reply = await exchange(open, body, bounds, AbortSignal.timeout(ANSWER_MS)).catch(told);
      if (reply.status < 400) return reply.body;
      throw refusal(method, path, reply.status, reply.body);
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

function httpsUrl(text: string): URL {
  const url = new URL(text);
  if (url.protocol !== 'https:') throw new Error('it begins with https://');
  return url;
}

function told(error: unknown): never {
  const cause = error instanceof ExchangeError ? error.cause : undefined;
  throw cause instanceof Error ? connectError(cause) : error;
}

/** The problem document, with every defect where it names them. */
function refusal(method: string, path: string, status: number, problem: unknown): Error {
  const [code, detail, errors] = ['code', 'detail', 'errors'].map((name) => field(problem, name));
  if (Array.isArray(errors) && errors.length > 0) {
    return new InputError(
      `${method} ${path}`,
      errors.map((each) => ({
        pointer: String(field(each, 'pointer')),
        message: String(field(each, 'message')),
      })),
    );
  }
  const why = typeof detail === 'string' ? detail : `status ${status}`;
  return new BrokerRefusal(
    typeof code === 'string' ? code : `status_${status}`,
    `the broker refused: ${why}`,
  );
}
