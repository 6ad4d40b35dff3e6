import type { SpiffeId } from '../../lib/spiffe/index.ts';
import { type Address, formatAddress } from '../address.ts';
import type { Svid } from '../identity/credentials.ts';
import { Refused, type RequestTransformer } from '../relay/index.ts';
import { portOf } from '../services/directory.ts';
import type {
  Directory,
  Place,
  RegisteredService,
  Service,
  ServicePort,
  Services,
} from '../services/index.ts';
import { serviceNamed } from '../services/naming.ts';
import { Destination, type DestinationDeps } from './destination.ts';

export type ServiceSource = Pick<Services, 'current' | 'naming' | 'subscribe'>;

/** Texts of `Host` whose meaning is remembered; beyond them all are looked up anew. */
const MOST_REMEMBERED = 4_096;
/** Single pods that are called by their address. */
const MOST_PODS = 1_024;

/**
 * The Services that the app calls, as they come, move and go. Each has its connections from the first call on; those to an address that
 * is gone end after what they carry.
 */
export class Discovered implements Disposable {
  private readonly source: ServiceSource;
  private readonly transformers: readonly RequestTransformer[];
  private readonly deps: DestinationDeps;
  /** By `orders.shop:80`, and single pods by `10.1.0.7:8080`. */
  private readonly all = new Map<string, { readonly destination: Destination; readonly pod: boolean }>();
  /** Registered ones, by host, and who may answer for each. */
  private readonly hosts = new Map<
    string,
    { readonly destination: Destination; readonly ids: readonly SpiffeId[] }
  >();
  /** Those that are no more, until their last connection has ended. */
  private readonly leaving = new Set<Destination>();
  /** By the text of `Host`. */
  private readonly remembered = new Map<string, Destination>();
  private pods = 0;
  private readonly unsubscribe: () => void;
  private svid: Svid | null = null;

  constructor(source: ServiceSource, transformers: readonly RequestTransformer[], deps: DestinationDeps) {
    this.source = source;
    this.transformers = transformers;
    this.deps = deps;
    this.unsubscribe = source.subscribe((directory) => this.follow(directory));
  }

  /** Null: it is no name of a Service. */
  byHost(text: string): Destination | Refused | null {
    const known = this.remembered.get(text);
    if (known !== undefined) return known;
    const { current, naming } = this.source;
    const [host, port] = splitHost(text);
    const name = host === '' ? undefined : serviceNamed(host, naming);
    if (current === null) return name === undefined ? null : NOT_KNOWN;
    const service = name === undefined ? undefined : current.services.get(name);
    // what a cluster says of a name goes before what somebody registered
    const found = service === undefined ? this.registeredAt(host, current) : this.portOf(service, port);
    if (!(found instanceof Destination)) return found;
    if (this.remembered.size >= MOST_REMEMBERED) this.remembered.clear();
    this.remembered.set(text, found);
    return found;
  }

  /** A cluster IP, or a pod of a headless Service. */
  byAddress(address: Address): Destination | Refused | null {
    const { current } = this.source;
    if (current === null) return null;
    const service = current.byIp.get(address.host);
    if (service !== undefined) return this.portOf(service, address.port);
    const name = formatAddress(address);
    const known = this.all.get(name);
    if (known !== undefined) return known.destination;
    const places = podsAt(current, address);
    if (places.length === 0) return null;
    if (this.pods >= MOST_PODS) return TOO_MANY_PODS;
    return this.begin(name, places, true);
  }

  adopt(svid: Svid): void {
    this.svid = svid;
    for (const { destination } of this.begun()) destination.adopt(svid);
  }

  sweep(): void {
    for (const { destination } of this.begun()) destination.sweep();
    for (const destination of this.leaving) {
      destination.sweep();
      if (destination.size === 0) this.leaving.delete(destination);
    }
  }

  [Symbol.dispose](): void {
    this.unsubscribe();
    for (const { destination } of this.begun()) destination.destroy();
    for (const destination of this.leaving) destination.destroy();
  }

  /** Whatever the port: the name says which is meant. */
  private registeredAt(text: string, { byHost }: Directory): Destination | Refused | null {
    const host = text.endsWith('.') ? text.slice(0, -1) : text;
    const service = byHost.get(host);
    if (service === undefined) return null;
    if (service.addresses.length === 0) return nowhere(service);
    const known = this.hosts.get(host);
    if (known !== undefined) return known.destination;
    const { addresses, ids } = service;
    const destination = new Destination({ name: host, addresses: [], ids }, this.transformers, this.deps);
    destination.move(addresses);
    if (this.svid !== null) destination.adopt(this.svid);
    this.hosts.set(host, { destination, ids });
    return destination;
  }

  private portOf(service: Service, wanted: number | null): Destination | Refused {
    if (service.absent !== null) return absent(service);
    const port = portOf(service, wanted);
    if (port === undefined) return unknownPort(service, wanted);
    if (port.places.length === 0) return noEndpoints(service);
    const name = `${service.name}:${port.port}`;
    return this.all.get(name)?.destination ?? this.begin(name, port.places, false);
  }

  private begin(name: string, places: readonly Place[], pod: boolean): Destination {
    const destination = new Destination({ name, addresses: [], ids: [] }, this.transformers, this.deps);
    destination.move(places);
    if (this.svid !== null) destination.adopt(this.svid);
    this.all.set(name, { destination, pod });
    if (pod) this.pods++;
    return destination;
  }

  /** All at once: who asks next is told by the new list. */
  private follow(directory: Directory): void {
    this.remembered.clear();
    const ports = new Map<string, ServicePort>();
    for (const { name, ports: own } of directory.services.values())
      for (const port of own) ports.set(`${name}:${port.port}`, port);
    for (const [name, { destination, pod }] of this.all) {
      const places = pod ? podsAt(directory, addressIn(name)) : (ports.get(name)?.places ?? []);
      destination.move(places);
      if (places.length > 0 || ports.has(name)) continue;
      this.all.delete(name);
      this.leaving.add(destination);
      if (pod) this.pods--;
    }
    for (const [host, { destination, ids }] of this.hosts) {
      const service = directory.byHost.get(host);
      const stays = service !== undefined && sameIds(service.ids, ids);
      destination.move(stays ? service.addresses : []);
      if (stays) continue;
      this.hosts.delete(host);
      this.leaving.add(destination);
    }
  }

  private *begun(): Iterable<{ readonly destination: Destination }> {
    yield* this.all.values();
    yield* this.hosts.values();
  }
}

/** A pod has as many addresses here as Services that list it; they are the same one. */
function podsAt({ services }: Directory, { host, port }: Address): Place[] {
  const found = new Map<string, Place>();
  for (const { ports } of services.values())
    for (const { target, places } of ports)
      if (target === port)
        for (const place of places) if (place.host === host) found.set(formatAddress(place), place);
  return [...found.values()];
}

/** Connections were let through by the IDs of their time: with others begins another destination. */
function sameIds(a: readonly SpiffeId[], b: readonly SpiffeId[]): boolean {
  return a.map(String).sort().join(' ') === b.map(String).sort().join(' ');
}

function addressIn(text: string): Address {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(text.slice(colon + 1)) };
}

/** An IPv6 address names no Service. */
function splitHost(text: string): readonly [host: string, port: number | null] {
  const colon = text.indexOf(':');
  if (colon === -1) return [text, null];
  const port = Number(text.slice(colon + 1));
  return Number.isInteger(port) ? [text.slice(0, colon), port] : ['', null];
}

const NOT_KNOWN = new Refused({
  status: 503,
  code: 'services_unknown',
  detail: 'the broker has not told yet which Services there are',
});
const TOO_MANY_PODS = new Refused({
  status: 503,
  code: 'too_many_pods',
  detail: `over ${MOST_PODS} pods are called by their address`,
});

/** What the app is told of a Service that no sidecar can call. */
const WHY: Readonly<Record<string, string>> = {
  external_name: 'it is another name for something outside',
  no_ports: 'it has no TCP port',
  not_injected: 'none of its pods has a sidecar',
  other_port: "its pods' sidecars take calls for other ports",
  other_account: 'none of its pods runs under an account that it names',
  no_identity: 'no registration gives its pods an identity',
};

function absent({ name, absent: why }: Service): Refused {
  const detail = `the Service ${name} cannot be called: ${WHY[why ?? ''] ?? why}`;
  return new Refused({ status: 404, code: 'unknown_upstream', detail, reason: why });
}

function unknownPort({ name, ports }: Service, wanted: number | null): Refused {
  const numbers = ports.map(({ port }) => port);
  const what = wanted === null ? 'port 80, nor one alone' : `port ${wanted}`;
  const detail = `the Service ${name} has no ${what}; it has: ${numbers.join(', ')}`;
  return new Refused({ status: 404, code: 'unknown_port', detail, ports: numbers });
}

function nowhere({ host }: RegisteredService): Refused {
  const detail = `nobody is registered to answer for ${host} at present`;
  return new Refused({ status: 503, code: 'no_endpoints', detail });
}

function noEndpoints({ name }: Service): Refused {
  const detail = `no pod of the Service ${name} is ready to answer at present`;
  return new Refused({ status: 503, code: 'no_endpoints', detail });
}
