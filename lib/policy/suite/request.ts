import { isIP } from 'node:net';
import { ANONYMOUS, type Caller, parseCaller } from '../caller.ts';
import type { PolicyRequest } from '../evaluate.ts';
import { type Facts, NO_RISK, type User } from '../facts.ts';
import { pathFlaw } from '../path.ts';
import {
  flag,
  instant,
  list,
  named,
  number,
  object,
  orNull,
  parsedBy,
  type Reader,
  text,
  word,
} from './readers.ts';

/** What somebody says of a request; the rest is as of a plain HTTP/1.1 request without a body. */
export type GivenRequest = {
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  readonly host?: string;
  readonly protocol?: Facts['protocol'];
  readonly size?: number | null;
  readonly source?: string | null;
  readonly edge?: boolean;
  readonly headers?: ReadonlyMap<string, string>;
  readonly risk?: number;
  readonly chain?: Facts['chain'];
  readonly time?: Date;
};

const PROTOCOLS = [
  'http/1.0',
  'http/1.1',
  'h2',
  'websocket',
  'tcp',
] as const satisfies readonly Facts['protocol'][];

export const caller: Reader<Caller> = parsedBy(parseCaller, 'a SPIFFE ID or "anonymous"');
const path = parsedBy((given) => {
  const flaw = pathFlaw(given);
  if (flaw !== null) throw new RangeError(flaw);
  return given;
}, 'a path as policy sees it: canonical, without query');

const address = parsedBy((given) => {
  if (isIP(given) === 0) throw new RangeError('no address');
  return given;
}, 'an IP address');

export const request: Reader<GivenRequest> = object<GivenRequest>(
  {
    method: text,
    path,
    query: text,
    host: text,
    protocol: word(PROTOCOLS),
    size: orNull(number(0, Number.MAX_SAFE_INTEGER)),
    source: orNull(address),
    edge: flag,
    headers: named(text, /^[a-z0-9!#$%&'*+.^_`|~-]{1,100}$/),
    risk: number(0, 100),
    chain: list(caller, 32),
    time: instant,
  },
  [],
);

const REQUEST_LINE = /^([A-Z-]{1,32}) (\/\S*)$/;

/** `GET /orders/7`, perhaps with a query; null when it is no such line. */
export function requestLine(line: string): GivenRequest | null {
  const [, method, target] = REQUEST_LINE.exec(line) ?? [];
  if (method === undefined || target === undefined) return null;
  const at = target.indexOf('?');
  return at === -1
    ? { method, path: target }
    : { method, path: target.slice(0, at), query: target.slice(at + 1) };
}

/** What policy is asked, at `now` unless the request has its own time. */
export function policyRequest(
  given: GivenRequest,
  caller: Caller,
  user: User | null,
  now: Date,
): PolicyRequest {
  const facts: Facts = {
    now: given.time ?? now,
    host: given.host ?? '',
    query: given.query ?? '',
    protocol: given.protocol ?? 'http/1.1',
    size: given.size === undefined ? 0 : given.size,
    source: given.source ?? null,
    edge: given.edge ?? caller === ANONYMOUS,
    user,
    chain: given.chain ?? [],
    risk: given.risk === undefined ? NO_RISK : { score: given.risk, reasons: [] },
    header: (name) => given.headers?.get(name) ?? null,
  };
  return { caller, method: given.method ?? 'GET', path: given.path ?? '/', facts };
}
