import type { Log } from '../../lib/adapter/log.ts';
import {
  type Bundle,
  bundleToPem,
  type CheckedLeaf,
  checkLeaf,
  createCsr,
  newerBundle,
  pemToDer,
  readCertificate,
  SvidError,
  toPem,
} from '../../lib/svid/index.ts';
import type { VaultSettings } from '../config/index.ts';
import { AcquireError } from './acquire-error.ts';
import type { Attested } from './broker-answer.ts';
import { type BrokerConnection, type BrokerSettings, connectBroker } from './broker-client.ts';
import type { Svid } from './credentials.ts';
import type { Claim, EvidenceSource } from './evidence.ts';
import { type RedeemDeps, redeem } from './redeem.ts';
import type { MachineClock, ServerClock } from './server-clock.ts';
import { createVaultClient, type SignedChain } from './vault-client.ts';

export type AcquireDeps = RedeemDeps & {
  readonly broker: BrokerSettings;
  readonly vault: VaultSettings;
  readonly evidence: EvidenceSource;
  readonly clock: MachineClock;
};

/**
 * Makes a key, proves who we are, and has Vault sign one SVID. `current` is the SVID to be replaced, null when there is none.
 * Nothing is kept of an attempt that fails: a grant is never used twice.
 * @throws AcquireError
 */
export type Acquire = (current: Svid | null, signal: AbortSignal) => Promise<Svid>;

const ATTEMPT_MS = 30_000;
/** Vault dates a certificate 30 s back. With a clock further behind than that, no SVID would be valid here. */
const MAX_BEHIND_MS = 30_000;
/** A leaf may outlive what was granted by as much as the calls to Vault took. */
const LIFETIME_MARGIN_MS = 60_000;

export function createAcquire(deps: AcquireDeps): Acquire {
  let bundle: Bundle | null = null;
  return async (current, signal) => {
    const bound = AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT_MS)]);
    const claim = await before(bound, deps.evidence.claim(current));
    using broker = await connectBroker(deps.broker, claim.identity, bound);
    const attested = await attest(deps, broker, claim, bound);
    bundle = bundleToKeep(bundle, attested.bundle, deps.log);
    using vault = await createVaultClient({
      address: deps.vault.address ?? attested.vault.address,
      namespace: deps.vault.namespace ?? attested.vault.namespace,
      ca: deps.vault.ca,
    });
    const token = await redeem(deps, { attested, broker, vault }, bound);
    const order = {
      mount: attested.vault.mount,
      role: attested.vault.role,
      csr: createCsr(claim.key.privateKey).pem,
      uri_sans: attested.id.toString(),
      ttl: attested.ttl,
    };
    const chain = await vault.sign(token, order, bound);
    return judge(deps, { chain, attested, claim, bundle });
  };
}

/** Evidence may be long in coming: a join code that nobody has typed yet, a TPM that does not answer. */
async function before<T>(signal: AbortSignal, evidence: T | Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const giveUp = () => reject(new AcquireError('EVIDENCE_UNAVAILABLE', 'the evidence is not there yet'));
  signal.addEventListener('abort', giveUp);
  try {
    return await Promise.race([evidence, late]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

async function attest(
  { broker: { trustDomain }, clock, serverClock }: AcquireDeps,
  broker: BrokerConnection,
  claim: Claim,
  signal: AbortSignal,
): Promise<Attested> {
  const sentAt = clock.monotonic();
  const challenge = await broker.challenge(signal);
  serverClock.observe(challenge.serverTime, sentAt);
  if ((serverClock.skewMs ?? 0) < -MAX_BEHIND_MS) throw clockWrong('CLOCK_BEHIND', serverClock);
  const proof = { trustDomain, challenge: challenge.text, exporter: broker.exporter };
  try {
    const evidence = await before(
      signal,
      claim.evidence(proof, (...call) => broker.call(...call, signal)),
    );
    const attested = await broker.attest(claim.method, challenge.text, evidence, signal);
    claim.accepted(attested.instance);
    return attested;
  } catch (error) {
    if (error instanceof AcquireError && error.code === 'BROKER_REFUSED') claim.refused(error.detail.reason);
    throw error;
  }
}

type Signed = {
  readonly chain: SignedChain;
  readonly attested: Attested;
  readonly claim: Claim;
  readonly bundle: Bundle;
};

/** What Vault signed becomes an SVID only if it is exactly what was asked for. */
function judge({ clock, serverClock }: AcquireDeps, { chain, attested, claim, bundle }: Signed): Svid {
  const { correlationId } = attested;
  const now = clock.now();
  let chainDer: Uint8Array[];
  let leaf: CheckedLeaf;
  try {
    chainDer = chain.flatMap(pemToDer);
    leaf = checkLeaf({
      chainDer,
      bundle,
      expectedId: attested.id,
      ownPublicKeySpkiDer: claim.key.spkiDer,
      now,
      maxSkewMs: 0,
    });
  } catch (error) {
    if (!(error instanceof SvidError)) throw error;
    if (error.code === 'SVID_NOT_YET_VALID') throw clockWrong('CLOCK_BEHIND', serverClock);
    if (error.code === 'SVID_EXPIRED' && validAt(serverClock.now(), chain[0]))
      throw clockWrong('CLOCK_AHEAD', serverClock);
    throw new AcquireError('SVID_REFUSED', `what Vault signed is refused: ${error.message}`, {
      reason: error.code,
      correlationId,
    });
  }
  const longest = serverClock.now().getTime() + attested.ttlSeconds * 1000 + LIFETIME_MARGIN_MS;
  if (leaf.notAfter.getTime() > longest)
    throw new AcquireError('SVID_REFUSED', 'what Vault signed lives longer than what was granted', {
      reason: 'SVID_TOO_LONG',
      correlationId,
    });
  return {
    id: leaf.id,
    serial: leaf.serial,
    key: claim.key.privateKey,
    certChainPem: chainDer
      .filter(notRoot)
      .map((der) => toPem('CERTIFICATE', der))
      .join(''),
    bundlePem: bundleToPem(bundle).join(''),
    issuedAt: now,
    notAfter: leaf.notAfter,
  };
}

function validAt(instant: Date, leafPem: string): boolean {
  return pemToDer(leafPem).every((der) => instant < readCertificate(der).notAfter);
}

/** A peer has the root already, or must not take it from us. */
function notRoot(der: Uint8Array): boolean {
  const { subjectDer, issuerDer } = readCertificate(der);
  return Buffer.compare(subjectDer, issuerDer) !== 0;
}

function bundleToKeep(current: Bundle | null, offered: Bundle, log: Log): Bundle {
  if (current === null) return offered;
  try {
    return newerBundle(current, offered);
  } catch (error) {
    log.warn('bundle_kept', { error });
    return current;
  }
}

function clockWrong(code: 'CLOCK_AHEAD' | 'CLOCK_BEHIND', { skewMs }: ServerClock): AcquireError {
  const seconds = Math.round(Math.abs(skewMs ?? 0) / 1000);
  const where = code === 'CLOCK_AHEAD' ? 'ahead of' : 'behind';
  const why = code === 'CLOCK_AHEAD' ? 'the SVID has expired by it' : 'no SVID is valid yet by it';
  return new AcquireError(
    code,
    `this machine's clock is ${seconds} s ${where} the broker's, and ${why}: set the clock`,
  );
}
