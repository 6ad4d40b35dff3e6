import type { Log } from '../../lib/adapter/log.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import type { Config } from '../config/index.ts';
import { createAcquire } from './acquire.ts';
import { type Credentials, createCredentials, type Svid } from './credentials.ts';
import { createEvidence } from './evidence.ts';
import type { Theft } from './redeem.ts';
import { createRotator, type Rotator } from './rotator.ts';
import { createServerClock, machineClock, type ServerClock } from './server-clock.ts';

export type IdentityDeps = {
  readonly config: Pick<Config, 'trustDomain' | 'broker' | 'vault' | 'attest'>;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly readStdin: () => Promise<string>;
  readonly onTheft: (theft: Theft) => void;
};

/** Who this workload is, kept fresh. */
export type Identity = {
  readonly credentials: Credentials;
  readonly rotator: Rotator;
  readonly serverClock: ServerClock;
};

/** A wrong clock is worth a word from here on, in ms. */
const SKEW_TOLD_MS = 5_000;

/** Wires the way from evidence to credentials, and what is told of it. Nothing happens before `rotator.run`. */
export function createIdentity({ config, log, metrics, readStdin, onTheft }: IdentityDeps): Identity {
  const notAfter = metrics.gauge(
    'signet_svid_not_after_seconds',
    'When the current SVID expires (Unix time)',
  );
  const rotations = metrics.counter('signet_rotations_total', 'SVIDs that replaced another');
  const failures = metrics.counter(
    'signet_renewal_failures_total',
    'Attempts to get an SVID that failed, by code',
  );
  const thefts = metrics.counter(
    'signet_theft_alarms_total',
    'Grants that someone else had used, or had made',
  );
  const skew = metrics.gauge(
    'signet_clock_skew_seconds',
    "How far this machine's clock is ahead of the broker's",
  );

  const credentials = createCredentials();
  const serverClock = createServerClock(machineClock);
  const tellSkew = () => {
    const { skewMs } = serverClock;
    if (skewMs === null) return;
    skew.set(skewMs / 1000);
    if (Math.abs(skewMs) > SKEW_TOLD_MS) log.warn('clock_skew', { ahead_seconds: skewMs / 1000 });
  };
  const acquire = createAcquire({
    broker: { trustDomain: config.trustDomain, ...config.broker },
    vault: config.vault,
    evidence: createEvidence(config.attest, { readStdin }),
    clock: machineClock,
    serverClock,
    log,
    onTheft(theft) {
      thefts.add();
      const { code, spiffeId, correlationId } = theft;
      log.alarm('theft_alarm', { code, spiffe_id: spiffeId, correlation_id: correlationId });
      onTheft(theft);
    },
  });
  const rotator = createRotator({
    acquire,
    credentials,
    clock: machineClock,
    random: Math.random,
    log,
    onSvid(svid, rotation) {
      if (rotation > 0) rotations.add();
      notAfter.set(svid.notAfter.getTime() / 1000);
      tellSvid(log, svid, rotation);
      tellSkew();
    },
    onFailure({ code, reason }) {
      failures.add(1, { code: reason ?? code });
      tellSkew();
    },
  });
  return { credentials, rotator, serverClock };
}

function tellSvid(log: Log, svid: Svid, rotation: number): void {
  log.info('svid', {
    spiffe_id: svid.id,
    serial: svid.serial,
    ttl_seconds: Math.round((svid.notAfter.getTime() - svid.issuedAt.getTime()) / 1000),
    not_after: svid.notAfter,
    rotation,
    ms_since_start: Math.round(performance.now()),
  });
}
