/** Where an instant comes from. The stages take a `Date`; only those who wire them ask a clock. */
export interface Clock {
  now(): Date;
}

export const systemClock: Clock = { now: () => new Date() };
