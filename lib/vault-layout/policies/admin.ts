import { MOUNTS } from '../../grant/index.ts';
import { kubernetesRole } from '../kubernetes.ts';
import type { Layout } from '../layout.ts';
import type { Capability, Rule } from '../rule.ts';
import { OWN_TOKEN, VAULT_UI } from './shared.ts';

const ALL: readonly Capability[] = ['create', 'read', 'update', 'delete', 'list', 'sudo'];
const LOGINS: readonly string[] = [MOUNTS.approle, MOUNTS.kubernetes];

/**
 * Everything that is Signet's, and so, through the policies it may write, in effect Vault's root. For the few who run
 * `signet vault apply` and who hold the root CA; everyone else's work has a policy of its own.
 */
export function adminRules(layout: Layout): Rule[] {
  return [
    ...Object.values(MOUNTS)
      .filter((mount) => !LOGINS.includes(mount))
      .flatMap((mount): Rule[] => [
        { why: `Everything in ${mount}.`, path: `${mount}/*`, capabilities: ALL },
        { why: 'The engine itself.', path: `sys/mounts/${mount}`, capabilities: ALL },
        { why: 'Likewise.', path: `sys/mounts/${mount}/tune`, capabilities: ALL },
      ]),
    ...LOGINS.flatMap((mount): Rule[] => [
      { why: "The brokers' log-in.", path: `auth/${mount}/*`, capabilities: ALL },
      { why: 'Likewise, the method itself.', path: `sys/auth/${mount}`, capabilities: ALL },
      { why: 'Likewise.', path: `sys/auth/${mount}/tune`, capabilities: ALL },
      { why: 'Likewise, as its engine.', path: `sys/mounts/auth/${mount}/tune`, capabilities: ALL },
      {
        why: 'Likewise, every token that came of a log-in, at once.',
        path: `sys/leases/revoke-prefix/auth/${mount}/*`,
        capabilities: ['update', 'sudo'],
      },
    ]),
    {
      why: "Runs' log-ins, one method to an issuer of tokens.",
      path: 'auth/signet-jwt-*',
      capabilities: ALL,
    },
    { why: 'Likewise, the methods themselves.', path: 'sys/auth/signet-jwt-*', capabilities: ALL },
    ...ownMount(layout),
    { why: "Signet's policies.", path: 'sys/policies/acl/signet-*', capabilities: ALL },
    { why: 'Token roles.', path: 'auth/token/roles/signet-*', capabilities: ALL },
    {
      why: 'Disable, enable and remove identities.',
      path: 'identity/entity/*',
      capabilities: ['read', 'update', 'delete', 'list'],
    },
    { why: 'Find them.', path: 'identity/lookup/entity', capabilities: ['update'] },
    ...looking(),
    ...OWN_TOKEN,
    ...VAULT_UI,
  ];
}

/** Kubernetes auth that was there before: the brokers' role in it, and no other. */
function ownMount({ kubernetes }: Layout): Rule[] {
  if (kubernetes === undefined || kubernetes.cluster !== undefined) return [];
  const { mount } = kubernetes;
  return [
    { why: "The brokers' log-in by Kubernetes auth.", path: kubernetesRole(kubernetes), capabilities: ALL },
    { why: 'doctor: who else logs in there.', path: `auth/${mount}/role`, capabilities: ['list'] },
    { why: 'Likewise.', path: `auth/${mount}/role/+`, capabilities: ['read'] },
  ];
}

/** What `signet vault doctor` reads beyond Signet's own. */
function looking(): Rule[] {
  return [
    { why: 'doctor: which engines there are.', path: 'sys/mounts', capabilities: ['read'] },
    { why: "doctor: the token engine's accessor.", path: 'sys/auth', capabilities: ['read'] },
    { why: 'doctor: whether Vault keeps an audit log.', path: 'sys/audit', capabilities: ['read', 'sudo'] },
    {
      why: 'doctor: policies of others that reach into Signet.',
      path: 'sys/policies/acl',
      capabilities: ['list'],
    },
    { why: 'Likewise.', path: 'sys/policies/acl/+', capabilities: ['read'] },
    {
      why: 'doctor: token roles of others that give out identities.',
      path: 'auth/token/roles',
      capabilities: ['list'],
    },
    { why: 'Likewise.', path: 'auth/token/roles/+', capabilities: ['read'] },
  ];
}
