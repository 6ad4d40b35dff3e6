import type { KeyObject } from 'node:crypto';
import type { SpiffeId } from '../../lib/spiffe/index.ts';

/** An identity that has been checked and may be shown to peers. It lives in memory only. */
export type Svid = {
  readonly id: SpiffeId;
  /** As Vault prints it: `3a:0f:…`. */
  readonly serial: string;
  readonly key: KeyObject;
  /** Leaf first, then the intermediates; no root. */
  readonly certChainPem: string;
  /** The authorities of the trust domain, against which peers are verified. */
  readonly bundlePem: string;
  /** When it was received, by this machine's clock. */
  readonly issuedAt: Date;
  readonly notAfter: Date;
};

/** Null means: nothing to serve with. Answer 503 and accept no peer. */
export type Listener = (svid: Svid | null) => void;

/** What the listeners of a sidecar see: the identity that counts now. */
export interface Credentials {
  readonly current: Svid | null;
  /**
   * Calls `listener` at every change, in the order of subscription; not for the SVID that is current already.
   * A listener must not throw. The answer ends the subscription.
   */
  subscribe(listener: Listener): () => void;
}

/** The one writer's side: the rotator publishes and, at expiry, withdraws. */
export interface CredentialHolder extends Credentials {
  publish(svid: Svid): void;
  withdraw(): void;
}

export function createCredentials(): CredentialHolder {
  const listeners = new Set<Listener>();
  let current: Svid | null = null;
  const change = (svid: Svid | null) => {
    current = svid;
    for (const listener of [...listeners]) listener(svid);
  };
  return {
    get current() {
      return current;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    publish: change,
    withdraw() {
      if (current !== null) change(null);
    },
  };
}
