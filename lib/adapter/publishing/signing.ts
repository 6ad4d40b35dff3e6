import { hash } from 'node:crypto';
import { SignetError } from '../../errors.ts';
import { MOUNTS } from '../../grant/index.ts';
import { type Kind, sealedBytes } from '../../manifest/index.ts';
import { pemToDer, readCertificate } from '../../svid/index.ts';
import type { VaultCaller } from '../documents.ts';
import { readPolicyKey } from './store.ts';

class SigningError extends SignetError<'NO_CERTIFICATE' | 'NO_SIGNATURE'> {
  override readonly name = 'SigningError';
}

/** What a person signs with: the transit key `policy`, by the person's own Vault token. */
export interface PolicySigner {
  /** As the key's certificate says. */
  readonly trustDomain: string;
  /** The name that Vault gave the token. */
  readonly author: string;
  sign(kind: Kind, text: string): Promise<{ readonly signature: string; readonly keyVersion: number }>;
}

/** @throws VaultError; SigningError `NO_CERTIFICATE` when no sidecar would know the key */
export async function openSigner(vault: VaultCaller): Promise<PolicySigner> {
  const { latest, chains } = await readPolicyKey(vault);
  const [, trustDomain] = /^spiffe:\/\/([^/]+)\/signet\/policy$/.exec(uriOf(chains.get(latest))) ?? [];
  if (trustDomain === undefined)
    throw new SigningError(
      'NO_CERTIFICATE',
      "the policy key has no certificate, and no sidecar would believe it: an admin's signet vault apply gets one",
    );
  const { data: own } = await vault.call<{ display_name?: unknown }>('GET', 'auth/token/lookup-self');
  return {
    trustDomain,
    author: String(own?.display_name ?? '').slice(0, 256) || 'unknown',
    async sign(kind, text) {
      const { data } = await vault.call<{ signature?: unknown }>('POST', `${MOUNTS.transit}/sign/policy`, {
        // Vault takes no text of over a megabyte
        input: hash('sha256', sealedBytes(kind, text), 'base64'),
        prehashed: true,
        hash_algorithm: 'sha2-256',
        marshaling_algorithm: 'jws',
        key_version: latest,
      });
      const [, version, signature] = /^vault:v(\d+):([A-Za-z0-9_-]{86})$/.exec(String(data?.signature)) ?? [];
      if (signature === undefined || Number(version) !== latest)
        throw new SigningError('NO_SIGNATURE', 'Vault gave no signature of the policy key');
      return { signature, keyVersion: latest };
    },
  };
}

function uriOf(chain: string | undefined): string {
  if (chain === undefined) return '';
  return readCertificate(pemToDer(chain)[0]!).uriSans.join();
}
