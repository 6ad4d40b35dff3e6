import type { Failure } from './failure.ts';

/** Chooses among the addresses of one upstream, and is told how each of them does. An address keeps its number. */
export interface Balance {
  /** The address to use next, of those that are not in `tried`; `NO_ADDRESS` when none is left. */
  choose(tried: ReadonlySet<number>): number;
  /** Whether the address is still one of the upstream's. */
  has(address: number): boolean;
  /** One request more is under way there, or a connection is being made for one. */
  began(address: number): void;
  ended(address: number): void;
  answered(address: number, status: number): void;
  failed(address: number, failure: Failure): void;
}

export const NO_ADDRESS = -1;

/** There is one address, and nothing to choose. */
export const ONE_ADDRESS: Balance = {
  choose: (tried) => (tried.has(0) ? NO_ADDRESS : 0),
  has: () => true,
  began() {},
  ended() {},
  answered() {},
  failed() {},
};
