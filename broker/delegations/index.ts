import type { Redeeming, RedeemingDeps } from './redeem.ts';

/** What turns runs' tokens into rights, loaded when the first one comes. */
export interface Delegations extends Disposable {
  open(deps: RedeemingDeps): Promise<Redeeming>;
}

export function createDelegations(): Delegations {
  let opened: Promise<Redeeming> | undefined;
  return {
    open(deps) {
      opened ??= import('./redeem.ts').then(({ createRedeeming }) => createRedeeming(deps));
      return opened;
    },
    [Symbol.dispose]() {
      void opened?.then((redeeming) => redeeming[Symbol.dispose]());
    },
  };
}
