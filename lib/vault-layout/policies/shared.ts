import type { Rule } from '../rule.ts';

/** What any holder of a token may do with that token. */
export const OWN_TOKEN: readonly Rule[] = [
  {
    why: 'Look at, renew and give up its own token.',
    path: 'auth/token/lookup-self',
    capabilities: ['read'],
  },
  { why: 'Likewise.', path: 'auth/token/renew-self', capabilities: ['update'] },
  { why: 'Likewise.', path: 'auth/token/revoke-self', capabilities: ['update'] },
];

/** What the Vault UI asks for before it shows anything. */
export const VAULT_UI: readonly Rule[] = [
  {
    why: 'The Vault UI asks which buttons to show.',
    path: 'sys/capabilities-self',
    capabilities: ['update'],
  },
  {
    why: 'The Vault UI asks what the token may see.',
    path: 'sys/internal/ui/resultant-acl',
    capabilities: ['read'],
  },
  {
    why: 'The Vault UI asks for the list of engines (Vault shows each token only its own).',
    path: 'sys/internal/ui/mounts',
    capabilities: ['read'],
  },
  { why: 'Likewise, one engine.', path: 'sys/internal/ui/mounts/*', capabilities: ['read'] },
];

/** Reading without a word that can be taken for a secret: registrations, policies, who runs. Never joins: whoever may read one can hand it out. */
export function registrations(mount: string): Rule[] {
  return [
    ...['entries', 'policies', 'services'].flatMap((folder): Rule[] => [
      { why: `Read ${folder}.`, path: `${mount}/data/${folder}/*`, capabilities: ['read'] },
      { why: `List ${folder}.`, path: `${mount}/metadata/${folder}/*`, capabilities: ['list'] },
    ]),
    { why: 'Read the deny-list.', path: `${mount}/data/denylist`, capabilities: ['read'] },
    { why: 'See whether anything changed.', path: `${mount}/data/revision`, capabilities: ['read'] },
  ];
}
