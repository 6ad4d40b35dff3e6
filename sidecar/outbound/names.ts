import { lookup as systemLookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Log } from '../../lib/adapter/log.ts';
import { type Address, formatAddress } from '../address.ts';
import type { Ticker } from '../relay/index.ts';

/** Every IP address of a host name. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** As all programs on this machine resolve names. */
export const lookup: Lookup = async (host) =>
  (await systemLookup(host, { all: true })).map(({ address }) => address);

/** More addresses of one name than this are passed over. */
const MOST_ADDRESSES = 64;
/** Names are asked for again so long after an address could not be reached. */
const SOON_MS = 1_000;

export type NamesDeps = {
  readonly upstream: string;
  readonly ticker: Pick<Ticker, 'now' | 'in'>;
  readonly log: Log;
  readonly lookup: Lookup;
  readonly everyMs: number;
  /** Told of every set that differs from the one before. */
  readonly changed: (addresses: readonly Address[]) => void;
};

/**
 * Keeps the host names among an upstream's addresses resolved. A lookup that fails changes nothing; until the first that succeeds a name
 * stands for itself, so that connecting fails by its name.
 */
export class Names {
  private readonly places: readonly Address[];
  private readonly deps: NamesDeps;
  private readonly found = new Map<string, readonly string[]>();
  private readonly failing = new Set<string>();
  private told = '';
  private next = 0;
  private asking = false;

  constructor(places: readonly Address[], deps: NamesDeps) {
    this.places = places;
    this.deps = deps;
    this.tell();
  }

  /** Asks when it is time. Never two lookups at once. */
  sweep(): void {
    if (this.asking || this.deps.ticker.now < this.next) return;
    const hosts = new Set(this.places.flatMap(({ host }) => (isIP(host) === 0 ? [host] : [])));
    this.next = this.deps.ticker.in(hosts.size === 0 ? 0 : this.deps.everyMs);
    if (hosts.size === 0) return;
    this.asking = true;
    void Promise.all([...hosts].map((host) => this.ask(host))).then(() => {
      this.asking = false;
      this.tell();
    });
  }

  soon(): void {
    this.next = Math.min(this.next, this.deps.ticker.in(SOON_MS));
  }

  private async ask(host: string): Promise<void> {
    const { log, upstream } = this.deps;
    try {
      const addresses = (await this.deps.lookup(host)).filter((address) => isIP(address) !== 0);
      if (addresses.length === 0) throw Object.assign(new Error('no address'), { code: 'ENODATA' });
      this.found.set(host, addresses.toSorted().slice(0, MOST_ADDRESSES));
      this.failing.delete(host);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (!this.failing.has(host)) log.warn('upstream_lookup_failed', { upstream, host, code });
      this.failing.add(host);
    }
  }

  private tell(): void {
    const all = this.places.flatMap(({ host, port }) =>
      (this.found.get(host) ?? [host]).map((each) => ({ host: each, port })),
    );
    const unique = new Map(all.map((address) => [formatAddress(address), address]));
    const text = [...unique.keys()].join(' ');
    if (text === this.told) return;
    this.told = text;
    this.deps.changed([...unique.values()]);
  }
}
