import { field } from '../../lib/adapter/exchange.ts';
import { parseSpiffeId, type SpiffeId } from '../../lib/spiffe/index.ts';
import { type Address, parseAddress } from '../address.ts';
import { AcquireError } from '../identity/acquire-error.ts';

/** The Services of our cluster, and registered ones, as the broker told of them. */
export type Directory = {
  readonly version: string;
  /** When Kubernetes and Vault last said that this is so. */
  readonly seenAt: Date;
  /** By `name.namespace`. */
  readonly services: ReadonlyMap<string, Service>;
  /** By cluster IP. */
  readonly byIp: ReadonlyMap<string, Service>;
  /** Registered ones, by the name that an app asks for. */
  readonly byHost: ReadonlyMap<string, RegisteredService>;
};

export type RegisteredService = {
  readonly host: string;
  readonly addresses: readonly Address[];
  /** Who may answer at any of them. */
  readonly ids: readonly SpiffeId[];
};

export type Service = {
  /** `orders.shop` */
  readonly name: string;
  /** Why it cannot be called; null when it can. */
  readonly absent: string | null;
  readonly ports: readonly ServicePort[];
};

export type ServicePort = {
  readonly port: number;
  /** The pods' own port, by which callers of a headless Service may call; 0: none. */
  readonly target: number;
  readonly places: readonly Place[];
};

/** An address, and who alone may answer there. */
export type Place = Address & { readonly id: SpiffeId };

const MOST_SERVICES = 5_000;
const MOST_PORTS = 64;
const MOST_PLACES = 20_000;
const MOST_REGISTERED = 2_000;
const MOST_ADDRESSES = 64;
const MOST_IDS = 16;
const HOST = /^(?=.{3,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const WORD = /^[A-Za-z0-9_-]{1,64}$/;

/** @throws AcquireError `BROKER_ANSWER`: all of it is sound, or none is taken */
export function readDirectory(body: unknown, trustDomain: string): Directory {
  const services = new Map<string, Service>();
  const byIp = new Map<string, Service>();
  const ids = new Map<string, SpiffeId>();
  const known = (text: string): SpiffeId => {
    const id = ids.get(text) ?? readId(text, trustDomain);
    ids.set(text, id);
    return id;
  };
  let places = 0;
  for (const one of listIn(body, 'services', MOST_SERVICES)) {
    const service = readService(one, (text) => {
      if (++places > MOST_PLACES) throw bad('more addresses than there may be');
      return known(text);
    });
    if (services.has(service.name)) throw bad('a Service twice');
    services.set(service.name, service);
    for (const ip of listIn(one, 'cluster_ips', 8)) if (typeof ip === 'string') byIp.set(ip, service);
  }
  const seenAt = new Date(String(field(body, 'seen_at')));
  if (Number.isNaN(seenAt.getTime())) throw bad('seen_at');
  const byHost = new Map<string, RegisteredService>();
  // a broker of an earlier version says nothing of them
  for (const one of field(body, 'registered') === undefined
    ? []
    : listIn(body, 'registered', MOST_REGISTERED)) {
    const service = readRegistered(one, known);
    if (byHost.has(service.host)) throw bad('a host twice');
    byHost.set(service.host, service);
  }
  return { version: wordIn(body, 'version', WORD), seenAt, services, byIp, byHost };
}

function readRegistered(value: unknown, idOf: (text: string) => SpiffeId): RegisteredService {
  const ids = listIn(value, 'spiffe_ids', MOST_IDS).map((text) => idOf(String(text)));
  // without one anybody could answer
  if (ids.length === 0) throw bad('spiffe_ids');
  return {
    host: wordIn(value, 'host', HOST),
    addresses: listIn(value, 'addresses', MOST_ADDRESSES).map(asAddress),
    ids,
  };
}

/** The port that a caller means; without one that of HTTP, or the only one. */
export function portOf({ ports }: Service, wanted: number | null): ServicePort | undefined {
  if (wanted !== null)
    return ports.find(({ port }) => port === wanted) ?? ports.find((each) => each.target === wanted);
  return ports.find(({ port }) => port === 80) ?? (ports.length === 1 ? ports[0] : undefined);
}

function readService(value: unknown, idOf: (text: string) => SpiffeId): Service {
  const absent = field(value, 'absent');
  return {
    name: `${wordIn(value, 'name', LABEL)}.${wordIn(value, 'namespace', LABEL)}`,
    absent: absent === undefined ? null : wordIn(value, 'absent', WORD),
    ports: listIn(value, 'ports', MOST_PORTS).map((port) => ({
      port: numberIn(port, 'port'),
      target: numberIn(port, 'target'),
      places: listIn(port, 'endpoints', MOST_PLACES).map((endpoint) => ({
        ...addressIn(endpoint),
        id: idOf(String(field(endpoint, 'spiffe_id'))),
      })),
    })),
  };
}

function readId(text: string, trustDomain: string): SpiffeId {
  try {
    const id = parseSpiffeId(text);
    if (id.trustDomain === trustDomain) return id;
  } catch {}
  throw bad('a SPIFFE ID');
}

function addressIn(value: unknown): Address {
  return asAddress(field(value, 'address'));
}

function asAddress(text: unknown): Address {
  const address = typeof text === 'string' ? parseAddress(text) : undefined;
  if (address === undefined || address.port === 0) throw bad('an address');
  return address;
}

function listIn(value: unknown, key: string, most: number): readonly unknown[] {
  const list = field(value, key);
  if (!Array.isArray(list) || list.length > most) throw bad(key);
  return list;
}

function wordIn(value: unknown, key: string, form: RegExp): string {
  const text = field(value, key);
  if (typeof text !== 'string' || !form.test(text)) throw bad(key);
  return text;
}

function numberIn(value: unknown, key: string): number {
  const number = field(value, key);
  if (!Number.isInteger(number) || (number as number) < 0 || (number as number) > 65_535) throw bad(key);
  return number as number;
}

function bad(what: string): AcquireError {
  return new AcquireError('BROKER_ANSWER', `the broker's list of Services has a bad part: ${what}`);
}
