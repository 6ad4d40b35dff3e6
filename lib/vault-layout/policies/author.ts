import { MOUNTS } from '../../grant/index.ts';
import type { Rule } from '../rule.ts';
import { OWN_TOKEN, registrations } from './shared.ts';

const { kv, transit } = MOUNTS;

/**
 * Publishes policies: signs with the key that stays in Vault, and writes below `policies/`. Not the certificate of that key: whoever may
 * have one signed could have one for a key of his own, with which he signs outside Vault, unseen, when his token is long gone.
 */
export function authorRules(): Rule[] {
  return [
    { why: 'Sign a manifest.', path: `${transit}/sign/policy`, capabilities: ['update'] },
    {
      why: 'Which version of the key signs, and its certificate.',
      path: `${transit}/keys/policy`,
      capabilities: ['read'],
    },
    {
      why: 'Policies and their manifest.',
      path: `${kv}/data/policies/*`,
      capabilities: ['create', 'read', 'update'],
    },
    {
      why: 'List what was published, and delete with its history what is too old to go back to.',
      path: `${kv}/metadata/policies/*`,
      capabilities: ['list', 'read', 'delete'],
    },
    ...registrations(kv).filter(({ path }) => !path.includes('/policies/') && !path.endsWith('/revision')),
    {
      why: 'Tell brokers that something changed.',
      path: `${kv}/data/revision`,
      capabilities: ['read', 'update'],
    },
    ...OWN_TOKEN,
  ];
}
