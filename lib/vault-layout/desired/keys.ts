import { MOUNTS } from '../../grant/index.ts';
import type { Resource } from './resource.ts';

const KEYS: readonly [name: string, type: string, missing: string][] = [
  ['jwt-svid', 'ecdsa-p256', 'no JWT-SVID can be signed'],
  ['policy', 'ecdsa-p256', 'no policy and no deny-list can be published'],
  ['audit', 'ecdsa-p256', 'audit checkpoints are not countersigned'],
  ['challenge', 'hmac', "brokers cannot open each other's challenges"],
];

/** The transit keys. None can leave Vault, and none can be deleted by one call. */
export function transitKeys(): Resource[] {
  return KEYS.map(([name, type, missing]): Resource => {
    const path = `${MOUNTS.transit}/keys/${name}`;
    return {
      id: `transit-${name}`,
      path,
      missing,
      settings: [
        { name: 'type', want: type, allows: 'signatures that verifiers do not expect' },
        {
          name: 'exportable',
          want: false,
          allows: 'whoever may export it takes the key away and signs outside Vault, unseen',
        },
        {
          name: 'allow_plaintext_backup',
          want: false,
          allows: 'whoever may back it up takes the key away and signs outside Vault, unseen',
        },
        {
          name: 'deletion_allowed',
          want: false,
          allows: 'one call destroys the key, and nothing it signed can be checked against Vault',
        },
        {
          name: 'derived',
          want: false,
          allows: 'the key that signs is another one than verifiers were given',
        },
      ],
      write: {
        create: { path, body: { type, ...(type === 'hmac' ? { key_size: 32 } : {}) } },
        update: { path: `${path}/config`, send: 'changed' },
        // Once set, Vault takes neither back: the key has to be replaced.
        final: ['type', 'derived', 'exportable', 'allow_plaintext_backup'],
      },
    };
  });
}
