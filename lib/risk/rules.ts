import { BlockList } from 'node:net';

/** What makes a request unusual, and how much each counts. An input that is left out counts nothing. */
export type RiskRules = {
  /** What is seen in so many minutes after the first request is usual. */
  readonly learnMinutes: number;
  /** Half of what is only a memory is gone after this. */
  readonly halfLifeMs: number;
  readonly inputs: RiskInputs;
  /** From this score on it is written down, per caller at most so often. Null: never. */
  readonly anomaly: { readonly from: number; readonly everyMs: number } | null;
};

/** `weight`: points, 1 to 100, when it is as unusual as can be. */
type Weighted = { readonly weight: number };

export type RiskInputs = {
  /** Requests of a caller for a route in a minute: `above` times the usual counts half, twice that all; below `least` nothing. */
  readonly rate?: Weighted & { readonly above: number; readonly least: number };
  /** An hour of the day in which the caller was active on a smaller share of days than `below`. Known after `days`. */
  readonly hour?: Weighted & { readonly below: number; readonly days: number };
  /** The announced body of a request, as `rate`. */
  readonly size?: Weighted & { readonly above: number };
  /** The share of a caller's requests that failed, over the usual: `above` counts all. Below `least` requests a minute nothing. */
  readonly errors?: Weighted & { readonly above: number; readonly least: number };
  /** A route that the caller was never answered well on before; half as much after each half-life. */
  readonly new_edge?: Weighted;
  /** Seconds since the user was authenticated, as `rate`; all, when the token does not say. */
  readonly token_age?: Weighted & { readonly above: number };
  /** The user was authenticated in none of these ways. */
  readonly acr?: Weighted & { readonly in: ReadonlySet<string> };
  /** It comes from none of these networks. */
  readonly network?: Weighted & { readonly in: Networks };
  /** How unusual the caller was before, less half after each half-life. */
  readonly recent?: Weighted;
  /** What others said of the caller, less half after each half-life. */
  readonly reported?: Weighted;
};

export type InputName = keyof RiskInputs;

/** Networks by address and prefix. */
export class Networks {
  readonly #list = new BlockList();

  /** @throws whatever Node throws of what is none */
  add(network: string): void {
    const [address = '', prefix = ''] = network.split('/');
    this.#list.addSubnet(address, Number(prefix), address.includes(':') ? 'ipv6' : 'ipv4');
  }

  has(address: string): boolean {
    return this.#list.check(address, address.includes(':') ? 'ipv6' : 'ipv4');
  }
}
