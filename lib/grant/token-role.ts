import { aliasPattern, type Entry, parseIdTemplate } from '../attestation/index.ts';
import { workloadPolicy } from './names.ts';

/** The parameters of `auth/token/roles/<role>`. All are strings: Vault's ACL compares booleans and numbers only as they are sent. */
export type TokenRole = Readonly<Record<string, string>>;

/**
 * One entry as a Vault token role: whoever holds the broker's credential can ask for this entry's ID and nothing else, for one
 * use within five minutes, and Vault itself refuses once the role is gone.
 * @throws SpiffeError when a pinned selector cannot stand in the ID
 */
export function tokenRole(entry: Entry): TokenRole {
  return {
    allowed_policies: workloadPolicy(entry.ttl),
    allowed_entity_aliases: aliasPattern(parseIdTemplate(entry.spiffe_id), entry.match),
    orphan: 'true',
    renewable: 'false',
    token_type: 'service',
    token_num_uses: '1',
    token_explicit_max_ttl: '5m',
    token_no_default_policy: 'true',
    ...(entry.networks.length > 0 ? { token_bound_cidrs: entry.networks.join(',') } : {}),
  };
}
