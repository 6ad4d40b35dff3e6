import type { Log } from '../../lib/adapter/log.ts';
import type { Counter } from '../../lib/adapter/metrics.ts';
import type { SpiffeId } from '../../lib/spiffe/index.ts';
import { type Address, formatAddress } from '../address.ts';
import { type Balance, type Failure, NO_ADDRESS, type Ticker } from '../relay/index.ts';
import { isIdentity } from './problem.ts';

/** Requests in a row that an address leaves unanswered, or answers with 502, 503 or 504, until it is left out. */
const MOST_FAILURES = 5;
/** How long it is left out the first time; twice as long each time that follows without a good answer between. */
const FIRST_MS = 1_000;
const LONGEST_MS = 60_000;

/** An address, and who alone may answer there; left out, those who may answer for the upstream. */
export type AddressOf = Address & { readonly id?: SpiffeId };

type Place = {
  readonly number: number;
  readonly id: SpiffeId | undefined;
  readonly address: Address;
  /** Among those of the upstream at present. */
  current: boolean;
  pending: number;
  /** When it was last chosen, in turns. */
  used: number;
  failures: number;
  ejections: number;
  /** A tick; 0 while it is not left out. */
  ejectedUntil: number;
};

export type AddressesDeps = {
  readonly ticker: Pick<Ticker, 'now' | 'in'>;
  readonly log: Log;
  readonly ejections: Counter;
  /** An address could not be reached. */
  readonly unreachable: () => void;
};

/**
 * The addresses of one upstream and how each of them does, whatever SVID of ours the connections show. The one with the least under
 * way is next, in turns among equals. One that fails is left out for a while, but never the last that is not.
 */
export class Addresses implements Balance {
  private readonly name: string;
  private readonly ids: readonly SpiffeId[];
  private readonly deps: AddressesDeps;
  private readonly places = new Map<number, Place>();
  private current: Place[] = [];
  /** Of the present addresses that name who may answer there. */
  private readonly owners = new Map<string, SpiffeId>();
  private made = 0;
  private turn = 0;

  /** `ids`: who may answer at addresses that name nobody. */
  constructor(name: string, ids: readonly SpiffeId[], deps: AddressesDeps) {
    this.name = name;
    this.ids = ids;
    this.deps = deps;
  }

  /** These are the addresses from now on. Those that stay keep what is known of them; one that became another's is a new one. */
  set(addresses: readonly AddressOf[]): void {
    const byText = new Map(this.current.map((place) => [textOf(place.address, place.id), place]));
    for (const place of this.current) place.current = false;
    this.current = addresses.map((address) => byText.get(textOf(address, address.id)) ?? this.add(address));
    this.owners.clear();
    for (const { address, id } of this.current)
      if (id !== undefined) this.owners.set(formatAddress(address), id);
    for (const place of this.current) place.current = true;
    for (const [number, place] of this.places)
      if (!place.current && place.pending === 0) this.places.delete(number);
  }

  get all(): readonly Address[] {
    return this.current.map(({ address }) => address);
  }

  /** The address of this number, or one of those there are when it is gone. */
  at(number: number): Address {
    return (this.places.get(number) ?? this.current[number % this.current.length] ?? this.current[0]!)
      .address;
  }

  /** Whether the holder of `id` may answer on a connection that was made to the address of this number. */
  mayAnswer(number: number, address: Address, id: SpiffeId): boolean {
    const own = this.owners.get(formatAddress(address)) ?? this.places.get(number)?.id;
    return own === undefined ? this.ids.some((each) => each.equals(id)) : own.equals(id);
  }

  /** Whether the address is by now somebody else's. */
  isOfAnother(address: string, id: SpiffeId): boolean {
    const owner = this.owners.get(address);
    return owner !== undefined && !owner.equals(id);
  }

  choose(tried: ReadonlySet<number>): number {
    const { now } = this.deps.ticker;
    let best: Place | null = null;
    for (const place of this.current)
      if (!tried.has(place.number) && (best === null || isBefore(place, best, now))) best = place;
    return best === null ? NO_ADDRESS : best.number;
  }

  has(number: number): boolean {
    return this.places.get(number)?.current === true;
  }

  began(number: number): void {
    const place = this.places.get(number);
    if (place === undefined) return;
    place.pending++;
    place.used = ++this.turn;
  }

  ended(number: number): void {
    const place = this.places.get(number);
    if (place === undefined) return;
    place.pending--;
    if (!place.current && place.pending === 0) this.places.delete(number);
  }

  answered(number: number, status: number): void {
    const place = this.places.get(number);
    if (place === undefined) return;
    if (status >= 502 && status <= 504) this.fault(place, `status_${status}`);
    else {
      place.failures = 0;
      place.ejections = 0;
    }
  }

  failed(number: number, { kind, cause }: Failure): void {
    const place = this.places.get(number);
    if (place === undefined || kind === 'busy') return;
    if (kind !== 'connect' && kind !== 'connect-timeout') {
      this.fault(place, kind);
      return;
    }
    this.eject(place, isIdentity(cause) ? 'upstream_identity' : kind);
    if (!isIdentity(cause)) this.deps.unreachable();
  }

  private fault(place: Place, code: string): void {
    if (++place.failures >= MOST_FAILURES) this.eject(place, code);
  }

  private eject(place: Place, code: string): void {
    const { ticker, log, ejections } = this.deps;
    const others = this.current.some((other) => other !== place && other.ejectedUntil <= ticker.now);
    if (place.ejectedUntil > ticker.now || !place.current || !others) return;
    const ms = Math.min(LONGEST_MS, FIRST_MS * 2 ** place.ejections);
    place.ejections++;
    place.ejectedUntil = ticker.in(ms);
    log.warn('upstream_ejected', { upstream: this.name, address: formatAddress(place.address), code, ms });
    ejections.add(1, { upstream: this.name, code });
  }

  private add({ host, port, id }: AddressOf): Place {
    const number = this.made++;
    const fresh = { current: true, pending: 0, used: 0, failures: 0, ejections: 0, ejectedUntil: 0 };
    const place: Place = { number, id, address: { host, port }, ...fresh };
    this.places.set(number, place);
    return place;
  }
}

function textOf(address: Address, id: SpiffeId | undefined): string {
  return id === undefined ? formatAddress(address) : `${formatAddress(address)}#${id}`;
}

function isBefore(a: Place, b: Place, now: number): boolean {
  const [aIsOut, bIsOut] = [a.ejectedUntil > now, b.ejectedUntil > now];
  if (aIsOut !== bIsOut) return bIsOut;
  return a.pending === b.pending ? a.used < b.used : a.pending < b.pending;
}
