import { generateKeyPair, type KeyObject, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import type { VaultCaller } from '../lib/adapter/documents.ts';
import { sleep } from '../lib/adapter/lifecycle.ts';
import type { Log } from '../lib/adapter/log.ts';
import { SignetError } from '../lib/errors.ts';
import { brokerId, MOUNTS } from '../lib/grant/index.ts';
import { renewAt, retryDelay } from '../lib/rotation/index.ts';
import { checkPeer, createCsr } from '../lib/svid/index.ts';
import type { Config } from './config.ts';

/** What the broker shows in a handshake. The key lives in memory only. */
export type ServerCredential = {
  readonly key: KeyObject;
  /** Leaf first, then the intermediates; PEM. */
  readonly chain: string;
  readonly serial: string;
  readonly issuedAt: Date;
  readonly notAfter: Date;
};

class CertificateError extends SignetError<'CERTIFICATE_UNUSABLE'> {
  override readonly name = 'CertificateError';
}

export type CertificateDeps = {
  readonly vault: VaultCaller;
  readonly trustDomain: string;
  readonly names: Config['names'];
  readonly log: Log;
  readonly now: () => Date;
  /** In [0, 1). */
  readonly random: () => number;
};

const newKeyPair = promisify(generateKeyPair);

/**
 * Has Vault sign the broker's own TLS certificate, and again at half-life, each time for a new key. `publish` is given each one. While
 * Vault is away the last one stays.
 */
export async function keepCertificate(
  deps: CertificateDeps,
  publish: (credential: ServerCredential) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 0; !signal.aborted; ) {
    let due: number;
    try {
      const credential = await newCredential(deps);
      publish(credential);
      deps.log.info('broker_certificate', { serial: credential.serial, not_after: credential.notAfter });
      attempt = 0;
      due = renewAt(credential, deps.random() * 2 - 1).getTime() - deps.now().getTime();
    } catch (error) {
      if (signal.aborted) return;
      attempt++;
      due = Math.min(5_000, retryDelay(attempt, deps.random()));
      deps.log.warn('broker_certificate_failed', { attempt, retry_ms: due, reason: error });
    }
    await sleep(Math.max(0, due), signal);
  }
}

async function newCredential({ vault, trustDomain, names, now }: CertificateDeps): Promise<ServerCredential> {
  const { privateKey } = await newKeyPair('ec', { namedCurve: 'P-256' });
  const id = brokerId(trustDomain);
  const reply = await vault.call<{ certificate?: unknown; ca_chain?: unknown }>(
    'POST',
    `${MOUNTS.pki}/sign/broker`,
    {
      csr: createCsr(privateKey).pem,
      uri_sans: id.toString(),
      ...(names.dns.length === 0 ? {} : { alt_names: names.dns.join(',') }),
      ...(names.ips.length === 0 ? {} : { ip_sans: names.ips.join(',') }),
    },
  );
  const { certificate, ca_chain: issuers = [] } = reply.data ?? {};
  if (typeof certificate !== 'string' || !Array.isArray(issuers)) {
    throw new CertificateError('CERTIFICATE_UNUSABLE', 'Vault gave no certificate');
  }
  const leaf = new X509Certificate(certificate);
  const checked = checkPeer(new Uint8Array(leaf.raw), {
    trustDomain,
    now: now(),
    maxSkewMs: 60_000,
    otherSans: 'allow',
  });
  if (!checked.id.equals(id) || !leaf.checkPrivateKey(privateKey)) {
    throw new CertificateError('CERTIFICATE_UNUSABLE', `Vault gave a certificate that is not ${id}'s`);
  }
  const intermediates = issuers.map(String).filter((pem) => {
    const issuer = new X509Certificate(pem);
    return !issuer.checkIssued(issuer);
  });
  return {
    key: privateKey,
    chain: [certificate, ...intermediates].map((pem) => pem.trim()).join('\n'),
    serial: checked.serial,
    issuedAt: now(),
    notAfter: checked.notAfter,
  };
}
