import { MOUNTS } from '../../grant/index.ts';
import type { Layout } from '../layout.ts';
import type { Resource, Setting } from './resource.ts';

const TEN_YEARS = 10 * 365 * 24 * 3600;
const CLEAR = "secrets stand in the clear in Vault's audit log";
const HEADERS = 'headers cross between callers and the engine that it has no use for';

/** The secrets engines and the auth method. They are read from Vault's own lists: `engineAt`. */
export function engines(layout: Layout): Resource[] {
  const caTtl: Setting = {
    name: 'max_lease_ttl',
    want: TEN_YEARS,
    allows: 'CAs and leaves are cut shorter, or live longer, than the layout says',
  };
  const { root, pki, kv, transit, approle } = MOUNTS;
  return [
    ...(layout.root === 'vault' ? [engine(root, 'pki', [caTtl])] : []),
    engine(pki, 'pki', [caTtl]),
    engine(
      kv,
      'kv',
      [{ name: 'version', want: '2', allows: 'no check-and-set: two writers overwrite each other' }],
      { version: '2' },
    ),
    engine(transit, 'transit', []),
    auth(approle, 'approle'),
    ...(layout.kubernetes?.cluster === undefined ? [] : [auth(MOUNTS.kubernetes, 'kubernetes')]),
    tokenAuth(),
  ];
}

/** An entry of `sys/mounts` or `sys/auth`, flat. */
export function engineAt(mount: unknown): Record<string, unknown> | undefined {
  if (typeof mount !== 'object' || mount === null) return undefined;
  const { type, config, options } = mount as { type?: unknown; config?: object; options?: object | null };
  return { ...config, ...options, type };
}

function engine(name: string, type: string, own: readonly Setting[], options?: object): Resource {
  const maxTtl = own.find((s) => s.name === 'max_lease_ttl')?.want;
  const body = {
    type,
    ...(options ? { options } : {}),
    ...(maxTtl === undefined ? {} : { config: { max_lease_ttl: `${maxTtl}s` } }),
  };
  return {
    id: `engine-${name}`,
    path: `sys/mounts/${name}`,
    settings: [typed(type), ...own, ...CLOSED],
    missing: 'the secrets engine is not there',
    write: {
      create: { path: `sys/mounts/${name}`, body },
      update: { path: `sys/mounts/${name}/tune`, send: 'changed' },
      final: ['type', 'version'],
    },
  };
}

function auth(name: string, type: string): Resource {
  return {
    id: `auth-${name}`,
    path: `sys/auth/${name}`,
    settings: [typed(type), SERVICE_TOKENS, ...CLOSED],
    missing: 'brokers cannot log in',
    write: {
      create: { path: `sys/auth/${name}`, body: { type, config: { token_type: SERVICE_TOKENS.want } } },
      update: { path: `sys/auth/${name}/tune`, send: 'changed' },
      final: ['type'],
    },
  };
}

/** Vault's own, always there. */
function tokenAuth(): Resource {
  return {
    id: 'auth-token',
    path: 'sys/auth/token',
    settings: CLOSED,
    missing: 'there is no token engine',
    write: { update: { path: 'sys/auth/token/tune', send: 'changed' } },
  };
}

const SERVICE_TOKENS: Setting = {
  name: 'token_type',
  want: 'default-service',
  allows: 'batch tokens, which have no number of uses and cannot be revoked',
};

const CLOSED: readonly Setting[] = [
  { name: 'audit_non_hmac_request_keys', want: [], allows: CLEAR },
  { name: 'audit_non_hmac_response_keys', want: [], allows: CLEAR },
  { name: 'passthrough_request_headers', want: [], allows: HEADERS },
  { name: 'allowed_response_headers', want: [], allows: HEADERS },
];

function typed(type: string): Setting {
  return { name: 'type', want: type, allows: "something else stands where Signet's engine has to" };
}
