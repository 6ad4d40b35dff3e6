import type { Log } from '../lib/adapter/log.ts';
import type { Metrics } from '../lib/adapter/metrics.ts';
import { VaultError } from '../lib/adapter/vault.ts';
import {
  type Consideration,
  type Entry,
  entryRef,
  matchEntries,
  parseIdTemplate,
  renderId,
} from '../lib/attestation/index.ts';
import { SignetError } from '../lib/errors.ts';
import { SpiffeError, type SpiffeId } from '../lib/spiffe/index.ts';
import type { Bundle } from '../lib/svid/index.ts';
import type { Appearances } from './appearances.ts';
import {
  AttestationError,
  type Attestors,
  type InstanceRef,
  type PeerCertificate,
  prefixOf,
  type Verified,
} from './attestors/index.ts';
import type { BundleSource } from './bundle-source.ts';
import { type Explanation, type Explanations, nearest, plainSelectors } from './explanations.ts';
import type { IssuedGrants } from './issued-grants.ts';
import { type Issued, issueGrant } from './issuer.ts';
import type { RateLimit } from './limits.ts';
import { Problem } from './problem.ts';
import type { Registrations, Snapshot } from './registrations.ts';
import type { Session } from './session.ts';

/** What a caller showed. */
export type Asked = {
  readonly method: string;
  readonly evidence: unknown;
  /** Uses the challenge up: what a proof for it must cover. @throws Problem `challenge_invalid` */
  readonly prove: () => Promise<Uint8Array>;
  readonly peer: PeerCertificate | undefined;
  readonly source: string;
  readonly address: string;
  readonly correlationId: string;
};

export type Granted = {
  readonly id: SpiffeId;
  readonly entry: Entry;
  readonly instance: InstanceRef;
  readonly issued: Issued;
  readonly bundle: Bundle;
};

export type AttestationDeps = {
  readonly trustDomain: string;
  readonly attestors: Attestors;
  readonly registrations: Registrations;
  readonly bundles: BundleSource;
  readonly session: Session;
  readonly perIdentity: RateLimit;
  readonly issuedGrants: IssuedGrants;
  readonly appearances: Appearances;
  readonly explanations: Explanations;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly now: () => Date;
};

/** What is known so far; what of it there is when the attestation ends is its explanation. */
type Trail = {
  verified?: Verified;
  considered?: readonly Consideration[];
  entry?: Entry;
  id?: SpiffeId;
  instance?: InstanceRef;
};

/**
 * From evidence to a grant: challenge, verify, match, deny-list, settle, ask Vault. Whatever ends it early is a Problem whose code is all that the
 * caller learns, and an explanation for those who may know more.
 */
export function createAttestation(deps: AttestationDeps): (asked: Asked) => Promise<Granted> {
  const outcomes = deps.metrics.counter(
    'signet_broker_attestations_total',
    'attestations by method and outcome',
  );
  const seconds = deps.metrics.histogram(
    'signet_broker_attestation_seconds',
    'time from evidence to grant',
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  );
  return async (asked) => {
    const trail: Trail = {};
    const began = performance.now();
    try {
      const granted = await attest(deps, asked, trail);
      outcomes.add(1, { method: asked.method, outcome: 'granted' });
      seconds.observe((performance.now() - began) / 1000);
      conclude(deps, asked, trail, 'granted');
      return granted;
    } catch (error) {
      const problem = asProblem(error);
      outcomes.add(1, { method: asked.method, outcome: problem.code });
      conclude(deps, asked, trail, problem.code, error);
      throw problem;
    }
  };
}

async function attest(deps: AttestationDeps, asked: Asked, trail: Trail): Promise<Granted> {
  const { trustDomain, registrations, session, perIdentity, issuedGrants } = deps;
  const { peer, address, correlationId } = asked;
  const attestor = deps.attestors.get(asked.method);
  if (attestor === undefined) throw new Problem('malformed');
  const proof = await asked.prove();
  const registered = await registrations.current();
  const bundle = deps.bundles.current ?? (await deps.bundles.refresh());
  const verified = await attestor.verify(asked.evidence, {
    trustDomain,
    proof,
    address,
    peer,
    bundle,
    registered,
    correlationId,
    now: deps.now(),
  });
  trail.verified = verified;
  let granted = false;
  try {
    const { entry, id } =
      verified.held === undefined
        ? match(verified, registered, trail)
        : renew(verified.held, registered, trail);
    trail.entry = entry;
    trail.id = id;
    const { ids, serials } = registered.denylist;
    if (ids.has(id.toString()) || (verified.held !== undefined && serials.has(verified.held.serial))) {
      throw new Problem('identity_denied', { cause: new Error('the deny-list names it') });
    }
    perIdentity.take(id.toString());
    const appears = await deps.appearances.judge(entry, {
      ...{ now: deps.now(), correlationId, renews: verified.held !== undefined },
    });
    // Without an instance there is nothing to advance: such a workload renews with fresh evidence.
    const instance = (await verified.settle?.({ entry, id })) ?? { id: correlationId, generation: 0 };
    trail.instance = instance;
    await appears?.();
    const issued = await issueGrant(session, entry, id);
    granted = true;
    issuedGrants.keep(correlationId, issued, { spiffeId: id.toString(), entry: entryRef(entry) });
    return { id, entry, instance, issued, bundle };
  } finally {
    verified.done?.(granted);
  }
}

function match(
  { selectors }: Verified,
  registered: Snapshot,
  trail: Trail,
): { readonly entry: Entry; readonly id: SpiffeId } {
  const outcome = matchEntries(registered.entries.values(), selectors);
  trail.considered = outcome.considered;
  switch (outcome.kind) {
    case 'none':
      throw new Problem('no_entry');
    case 'ambiguous': {
      const names = outcome.entries.map(entryRef).join(' and ');
      throw new Problem('entry_ambiguous', { cause: new Error(`${names} match and neither wins`) });
    }
    case 'disabled':
      trail.entry = outcome.entry;
      throw new Problem('entry_disabled');
    case 'matched':
      trail.entry = outcome.entry;
      return { entry: outcome.entry, id: renderId(parseIdTemplate(outcome.entry.spiffe_id), selectors) };
  }
}

/** A renewal is by the entry it began with, if that still is for what began it and gives this ID. */
function renew(
  held: NonNullable<Verified['held']>,
  { entries }: Snapshot,
  trail: Trail,
): { readonly entry: Entry; readonly id: SpiffeId } {
  const entry = entries.get(held.entry);
  if (entry === undefined || entry.state === 'pending') throw new Problem('no_entry');
  trail.entry = entry;
  if (entry.state === 'disabled') throw new Problem('entry_disabled');
  if (!Object.keys(entry.match).every((key) => key.startsWith(`${held.began}:`)))
    throw new Problem('no_entry', { cause: new Error(`the entry is no longer for ${held.began}`) });
  const { trustDomain, segments } = parseIdTemplate(entry.spiffe_id);
  const wanted = segments.map((segment) =>
    'text' in segment ? segment.text : entry.match[segment.selector],
  );
  const same =
    trustDomain === held.id.trustDomain &&
    wanted.length === held.id.segments.length &&
    wanted.every((text, i) => text === undefined || text === held.id.segments[i]);
  if (!same) throw new Problem('no_entry', { cause: new Error('the entry no longer gives this ID') });
  return { entry, id: held.id };
}

/** What the caller is told. Everything that is not a decision is Vault's trouble or our own fault. */
function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof AttestationError) {
    const locked = error.code === 'INSTANCE_LOCKED' || error.code === 'INSTANCE_CLONED';
    return new Problem(locked ? 'instance_locked' : 'attestation_refused', { cause: error });
  }
  // The value of a selector that cannot stand in an ID: a star, a slash, upper case.
  if (error instanceof SpiffeError) return new Problem('attestation_refused', { cause: error });
  if (error instanceof VaultError || error instanceof SignetError) {
    return new Problem('vault_unavailable', { cause: error, retryAfterSeconds: 1 });
  }
  return new Problem('internal', { cause: error });
}

function conclude(
  { attestors, explanations, log, now }: AttestationDeps,
  { correlationId, source, method }: Asked,
  { verified, considered = [], entry, id, instance }: Trail,
  outcome: Explanation['outcome'],
  error?: unknown,
): void {
  const attestor = attestors.get(method);
  const prefix = attestor === undefined ? method : prefixOf(attestor);
  const cause = error instanceof Problem ? error.cause : error;
  const reason = cause instanceof Error ? cause.message : undefined;
  const facts = {
    correlation_id: correlationId,
    source,
    method,
    ...(reason === undefined ? {} : { reason }),
    ...(verified === undefined ? {} : { selectors: plainSelectors(verified.selectors) }),
    ...(entry === undefined ? {} : { entry: entryRef(entry) }),
    ...(id === undefined ? {} : { spiffe_id: id.toString() }),
    ...(instance === undefined ? {} : { instance: instance.id }),
  };
  explanations.keep({ ...facts, time: now().toISOString(), outcome, ...nearest(considered, prefix) });
  if (outcome === 'granted') log.info('granted', facts);
  else log.warn('refused', { ...facts, outcome, considered: considered.length });
}
