import { type Bundle, bundleToPem } from '../../lib/svid/index.ts';
import type { BundleSource } from '../bundle-source.ts';

/** The trust domain's authorities, as pods and API servers are told them. */
export interface Authorities {
  /** PEM. @throws VaultError while Vault has never been read */
  current(): Promise<string>;
  /** Whether a pod that was given these may keep them: each is one that this broker knows or knew, and one of them is in force. */
  accepts(pem: string): boolean;
  /** Asks Vault, at most once a second, when `pem` holds an authority that another broker may have learned of first. */
  consider(pem: string): Promise<void>;
}

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const MOST = 256;
const LOOK_MS = 1_000;

/** `now` is in milliseconds and never goes back. */
export function createAuthorities(bundles: BundleSource, now: () => number): Authorities {
  const known = new Set<string>();
  let lookedAt = Number.NEGATIVE_INFINITY;
  const learn = (pem: string) => {
    for (const block of blocksOf(pem)) {
      known.delete(block);
      known.add(block);
      if (known.size > MOST) known.delete(known.values().next().value ?? '');
    }
  };
  const inForce = () => (bundles.current === undefined ? '' : pemOf(bundles.current));
  bundles.onChange((bundle) => learn(pemOf(bundle)));
  learn(inForce());
  return {
    current: async () => pemOf(bundles.current ?? (await bundles.refresh())),
    accepts(pem) {
      const blocks = blocksOf(pem);
      const current = blocksOf(inForce());
      return (
        blocks.length > 0 &&
        blocks.every((block) => known.has(block)) &&
        blocks.some((block) => current.includes(block)) &&
        pem.replace(BLOCK, '').trim() === ''
      );
    },
    async consider(pem) {
      if (blocksOf(pem).every((block) => known.has(block)) || now() - lookedAt < LOOK_MS) return;
      lookedAt = now();
      await bundles.refresh().catch(() => undefined);
    },
  };
}

/** In the order that all brokers have it in. */
export function pemOf(bundle: Bundle): string {
  return `${bundleToPem(bundle)
    .map((pem) => pem.trim())
    .join('\n')}\n`;
}

function blocksOf(pem: string): string[] {
  return (pem.match(BLOCK) ?? []).map((block) => block.replaceAll('\r', ''));
}
