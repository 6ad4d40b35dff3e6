import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createLog } from '../lib/adapter/log.ts';
import { bundleToJwks, createCsr, pemToDer, readCertificate } from '../lib/svid/index.ts';
import { parseAttest } from '../sidecar/config/values.ts';
import { readAttested } from '../sidecar/identity/broker-answer.ts';
import { type BrokerSettings, connectBroker } from '../sidecar/identity/broker-client.ts';
import { createEvidence, newKeyPair } from '../sidecar/identity/evidence.ts';
import { redeem } from '../sidecar/identity/redeem.ts';
import { createServerClock, machineClock } from '../sidecar/identity/server-clock.ts';
import { createVaultClient } from '../sidecar/identity/vault-client.ts';

/** A grant as the broker gave it, on its way to whoever redeems it. */
export type HeldGrant = Readonly<Record<string, unknown>> & {
  readonly grant: {
    readonly wrapping_token: string;
    readonly creation_path: string;
    readonly expires_at: string;
  };
};

export type RedeemedSvid = {
  readonly spiffe_id: string;
  readonly serial: string;
  readonly not_after: string;
};

const STEP_MS = 30_000;

/** Proves who this machine is, as its sidecar would. @throws AcquireError, SettingError when `attest` cannot be read */
export async function requestGrant(settings: BrokerSettings, attest: string): Promise<HeldGrant> {
  const signal = AbortSignal.timeout(STEP_MS);
  const evidence = createEvidence(parseAttest(attest), {
    readStdin: async () => (await import('node:stream/consumers')).text(process.stdin),
  });
  const claim = await evidence.claim(null);
  using broker = await connectBroker(settings, claim.identity, signal);
  const { text } = await broker.challenge(signal);
  const proof = { trustDomain: settings.trustDomain, challenge: text, exporter: broker.exporter };
  const shown = await claim.evidence(proof, (...call) => broker.call(...call, signal));
  const attested = await broker.attest(claim.method, text, shown, signal);
  const { grant, vault } = attested;
  return {
    spiffe_id: attested.id.toString(),
    ttl: attested.ttl,
    ttl_seconds: attested.ttlSeconds,
    instance: attested.instance,
    grant: {
      wrapping_token: grant.wrappingToken.reveal(),
      creation_path: grant.creationPath,
      expires_at: grant.expiresAt.toISOString(),
    },
    vault: { ...vault, address: vault.address.origin },
    bundles: { [settings.trustDomain]: bundleToJwks(attested.bundle) },
    correlation_id: attested.correlationId,
  };
}

/** As `mintSvid`, with a key that is thrown away. */
export async function redeemGrant(
  settings: BrokerSettings,
  held: unknown,
  env: NodeJS.ProcessEnv,
): Promise<RedeemedSvid> {
  const { spiffeId, serial, notAfter } = await mintSvid(settings, held, env);
  return { spiffe_id: spiffeId, serial, not_after: notAfter.toISOString() };
}

export type MintedSvid = {
  readonly spiffeId: string;
  readonly serial: string;
  readonly notAfter: Date;
  readonly chainPem: string;
  readonly privateKey: KeyObject;
};

/** Spends a grant: looks it up, unwraps it, has Vault sign for a new key. @throws AcquireError, and raises the alarm at the broker when the grant was spent by someone else */
export async function mintSvid(
  settings: BrokerSettings,
  held: unknown,
  env: NodeJS.ProcessEnv,
): Promise<MintedSvid> {
  const signal = AbortSignal.timeout(STEP_MS);
  const attested = readAttested(held, settings.trustDomain);
  const caFile = env['VAULT_CACERT'];
  using broker = await connectBroker(settings, null, signal);
  using vault = await createVaultClient({
    address: env['VAULT_ADDR'] ? new URL(env['VAULT_ADDR']) : attested.vault.address,
    namespace: env['VAULT_NAMESPACE'] ?? attested.vault.namespace,
    ca: caFile ? readFileSync(caFile, 'utf8') : null,
  });
  const deps = {
    serverClock: createServerClock(machineClock),
    onTheft() {},
    log: createLog({ level: 'warn' }),
  };
  const token = await redeem(deps, { attested, broker, vault }, signal);
  const { privateKey } = await newKeyPair();
  const order = {
    mount: attested.vault.mount,
    role: attested.vault.role,
    csr: createCsr(privateKey).pem,
    uri_sans: attested.id.toString(),
    ttl: attested.ttl,
  };
  const chain = await vault.sign(token, order, signal);
  const { serial, notAfter } = readCertificate(pemToDer(chain[0])[0]!);
  return { spiffeId: attested.id.toString(), serial, notAfter, chainPem: chain.join('\n'), privateKey };
}
