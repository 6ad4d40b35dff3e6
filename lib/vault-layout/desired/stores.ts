import { MOUNTS } from '../../grant/index.ts';
import type { Layout } from '../layout.ts';
import { asVaultHas } from '../network.ts';
import { secondsOf } from '../ttl.ts';
import { bodyOf, type Resource, type Setting } from './resource.ts';

const HOUR = 3600;

/** How brokers log in. */
export function brokerLogin(layout: Layout): Resource {
  const { broker } = layout;
  const path = `auth/${MOUNTS.approle}/role/broker`;
  const settings: Setting[] = [
    {
      name: 'bind_secret_id',
      want: true,
      allows: 'the role_id alone, which is no secret, logs in as a broker',
    },
    {
      name: 'secret_id_ttl',
      want: secondsOf(broker.secretIdTtl) ?? 0,
      allows: 'a secret_id that leaked long ago still logs in',
    },
    { name: 'secret_id_num_uses', want: 0, allows: 'a broker that restarts cannot log in again' },
    {
      name: 'secret_id_bound_cidrs',
      want: broker.networks,
      allows: 'a stolen secret_id logs in from other networks',
    },
    ...brokerToken(layout),
  ];
  return {
    id: 'approle-broker',
    path,
    settings,
    missing: 'brokers cannot log in',
    write: { create: { path, body: bodyOf(settings) }, update: { path, send: 'all' } },
  };
}

/** What a broker's token may be, however the broker logged in. */
export function brokerToken({ broker }: Layout): Setting[] {
  return [
    { name: 'token_policies', want: ['signet-broker'], allows: 'brokers get rights beyond their own policy' },
    {
      name: 'token_no_default_policy',
      want: true,
      allows: 'brokers get the rights of the default policy, whatever someone puts there',
    },
    { name: 'token_type', want: 'service', allows: 'batch tokens, which cannot be renewed or revoked' },
    {
      name: 'token_period',
      want: HOUR,
      allows: 'a stolen broker token lives longer without renewal, or brokers are cut off',
    },
    { name: 'token_num_uses', want: 0, allows: 'brokers are cut off in the middle of their work' },
    { name: 'token_explicit_max_ttl', want: 0, allows: 'brokers are cut off in the middle of their work' },
    {
      name: 'token_bound_cidrs',
      want: broker.networks.map(asVaultHas),
      allows: 'a stolen broker token works from other networks',
    },
  ];
}

/** The document store as a whole. */
export function kvConfig(): Resource {
  const path = `${MOUNTS.kv}/config`;
  const settings: Setting[] = [
    {
      name: 'cas_required',
      want: true,
      allows:
        'a write that does not know of the last one undoes it: a disabled entry comes back, a clone is not seen',
    },
    { name: 'max_versions', want: 10, allows: 'old versions pile up, or are gone when they are needed' },
    { name: 'delete_version_after', want: '0s', allows: 'registrations vanish by themselves' },
  ];
  return {
    id: 'kv-config',
    path,
    settings,
    missing: 'the store has no settings',
    write: { create: { path, body: bodyOf(settings) }, update: { path, send: 'changed' } },
  };
}

/** Documents that are there from the beginning, so that their readers never find nothing. */
export const SEEDS: readonly { readonly path: string; readonly data: object }[] = [
  { path: `${MOUNTS.kv}/data/revision`, data: { revision: 0 } },
  { path: `${MOUNTS.kv}/data/denylist`, data: { ids: [], serials: [] } },
];
