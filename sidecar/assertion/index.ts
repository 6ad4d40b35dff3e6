import type { Clock } from '../../lib/adapter/clock.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import type { Jwks } from '../../lib/assertion/index.ts';
import type { AppSettings } from '../config/app.ts';
import type { Credentials } from '../identity/credentials.ts';
import type { AppView, Origins } from '../inbound/screens.ts';
import type { OutboundScreen } from '../outbound/index.ts';
import { KeyRing } from './key-ring.ts';
import { TokenOrigins } from './origins.ts';
import { Transactions } from './transactions.ts';
import { HeaderView } from './view.ts';

export type AssertionsDeps = {
  readonly settings: AppSettings;
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly metrics: Metrics;
};

/** What is told to the app, and between sidecars, beside the request itself. */
export interface Assertions extends Disposable {
  readonly view: AppView;
  /** Null: nothing of what led to a request is told on. */
  readonly origins: Origins | null;
  readonly outbound: OutboundScreen | null;
  /** By which the app verifies what it is told. */
  readonly jwks: Jwks;
}

export function createAssertions({ settings, credentials, clock, metrics }: AssertionsDeps): Assertions {
  const left = metrics.counter(
    'signet_user_fields_left_out_total',
    'Users and claims that were too long to be told to the app',
  );
  const keys = new KeyRing(credentials, clock);
  const { transaction } = settings;
  return {
    view: new HeaderView({ settings, credentials, clock, leftOut: (count) => left.add(count) }),
    origins: transaction ? new TokenOrigins(credentials) : null,
    outbound: transaction ? new Transactions({ credentials, keys, clock }) : null,
    get jwks() {
      return settings.assertion ? keys.jwks : { keys: [] };
    },
    [Symbol.dispose]: () => keys[Symbol.dispose](),
  };
}
