import { field, type Reply } from '../../lib/adapter/exchange.ts';
import { type Grant, parseGrant } from '../../lib/grant/index.ts';
import { parseSpiffeId, type SpiffeId } from '../../lib/spiffe/index.ts';
import { type Bundle, parseBundle } from '../../lib/svid/index.ts';
import { parseOrigin } from '../config/values.ts';
import { AcquireError } from './acquire-error.ts';

export type Challenge = { readonly text: string; readonly serverTime: Date };

/** What the broker decided, read and checked for form. */
export type Attested = {
  readonly id: SpiffeId;
  /** The word for Vault's `ttl`. */
  readonly ttl: string;
  readonly ttlSeconds: number;
  readonly instance: { readonly id: string; readonly generation: number };
  readonly grant: Grant;
  readonly vault: {
    readonly address: URL;
    readonly namespace: string | null;
    readonly mount: string;
    readonly role: string;
  };
  readonly bundle: Bundle;
  readonly correlationId: string;
};

const TTL = /^[1-9][0-9]{0,5}[smh]$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/;
const MAX_RETRY_AFTER_S = 300;

/** @throws AcquireError for any other status; of the body only the problem's `code` and `correlation_id` are taken */
export function accepted(reply: Reply, status: number): unknown {
  if (reply.status === status) return reply.body;
  const [code, correlation] = [field(reply.body, 'code'), field(reply.body, 'correlation_id')];
  const reason = isWord(code) ? code : `status_${reply.status}`;
  const seconds = Number(reply.headers['retry-after'] ?? Number.NaN);
  const detail = {
    reason,
    ...(isWord(correlation) ? { correlationId: correlation } : {}),
    ...(seconds >= 0 ? { retryAfterMs: Math.min(seconds, MAX_RETRY_AFTER_S) * 1000 } : {}),
  };
  const busy = reply.status === 429 || reply.status >= 500;
  throw busy
    ? new AcquireError('BROKER_UNAVAILABLE', `the broker cannot serve us now: ${reason}`, detail)
    : new AcquireError('BROKER_REFUSED', `the broker refused: ${reason}`, detail);
}

export function readChallenge(body: unknown, trustDomain: string): Challenge {
  const [text, domain, time] = ['challenge', 'trust_domain', 'server_time'].map((name) => field(body, name));
  const serverTime = new Date(typeof time === 'string' ? time : Number.NaN);
  if (typeof text !== 'string' || text.length > 1024 || Number.isNaN(serverTime.getTime()))
    throw badAnswer('challenge');
  if (domain !== trustDomain) throw badAnswer('trust domain');
  return { text, serverTime };
}

export function readAttested(body: unknown, trustDomain: string): Attested {
  const [instance, vault] = [field(body, 'instance'), field(body, 'vault')];
  const [ttl, seconds] = [field(body, 'ttl'), field(body, 'ttl_seconds')];
  if (typeof ttl !== 'string' || !TTL.test(ttl)) throw badAnswer('ttl');
  if (typeof seconds !== 'number' || !(seconds > 0)) throw badAnswer('ttl_seconds');
  const generation = field(instance, 'generation');
  if (!Number.isSafeInteger(generation)) throw badAnswer('instance');
  const namespace = field(vault, 'namespace');
  return {
    id: read('spiffe_id', () => ownId(text(body, 'spiffe_id'), trustDomain)),
    ttl,
    ttlSeconds: seconds,
    instance: { id: name(instance, 'id'), generation: generation as number },
    grant: read('grant', () => parseGrant(field(body, 'grant'))),
    vault: {
      address: read('vault.address', () => parseOrigin(text(vault, 'address'), 'https or loopback http')),
      namespace: typeof namespace === 'string' && namespace !== '' ? name(vault, 'namespace') : null,
      mount: name(vault, 'mount'),
      role: name(vault, 'role'),
    },
    bundle: read('bundles', () => parseBundle(trustDomain, field(field(body, 'bundles'), trustDomain))),
    correlationId: name(body, 'correlation_id'),
  };
}

function ownId(text: string, trustDomain: string): SpiffeId {
  const id = parseSpiffeId(text);
  if (id.trustDomain !== trustDomain) throw badAnswer('spiffe_id');
  return id;
}

function read<T>(what: string, parser: () => T): T {
  try {
    return parser();
  } catch (cause) {
    throw new AcquireError('BROKER_ANSWER', `the broker's answer has a bad ${what}`, { cause });
  }
}

function text(object: unknown, key: string): string {
  const value = field(object, key);
  if (typeof value !== 'string' || value === '') throw badAnswer(key);
  return value;
}

/** A text that may stand in a path, a header or a log. */
function name(object: unknown, key: string): string {
  const value = text(object, key);
  if (!NAME.test(value) || value.includes('..')) throw badAnswer(key);
  return value;
}

function isWord(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_.-]{1,64}$/.test(value);
}

function badAnswer(what: string): AcquireError {
  return new AcquireError('BROKER_ANSWER', `the broker's answer has a bad ${what}`);
}
