import { LOG_LEVELS } from '../lib/adapter/log.ts';
import type { Setting as Variable } from '../lib/adapter/settings.ts';

type Setting = Variable & { readonly required: boolean };

const optional = (fallback: string, doc: string): Setting => ({ fallback, required: false, doc });
const required = (doc: string): Setting => ({ fallback: '', required: true, doc });

/** Every variable the broker reads, in the order that `--help` and docs/broker.md show. */
export const SETTINGS = {
  SIGNET_TRUST_DOMAIN: required('the trust domain, such as `example.org`'),
  VAULT_ADDR: required('Vault, such as `https://vault:8200`; plain http on loopback only'),
  VAULT_NAMESPACE: optional('', 'Vault namespace that holds the layout'),
  VAULT_CACERT: optional('', "PEM file of the authorities for Vault's certificate; without it, the system's"),
  SIGNET_VAULT_ROLE_ID: optional(
    '',
    'role id of the AppRole `broker`; this and the next, or `SIGNET_VAULT_KUBERNETES_TOKEN_FILE`',
  ),
  SIGNET_VAULT_SECRET_ID_FILE: optional('', 'file with its secret id, read again at every log-in'),
  SIGNET_VAULT_KUBERNETES_TOKEN_FILE: optional(
    '',
    'instead: log in by Kubernetes auth with the service-account token in this file, read again at every log-in; docs/kubernetes-install.md',
  ),
  SIGNET_VAULT_KUBERNETES_ROLE: optional('broker', 'the role to log in as'),
  SIGNET_VAULT_KUBERNETES_MOUNT: optional('signet-kubernetes', "path of Vault's auth method"),
  SIGNET_VAULT_TIMEOUT: optional('5s', 'how long one call to Vault may take'),
  SIGNET_VAULT_PUBLIC_ADDR: optional('', 'Vault as sidecars reach it; without it, `VAULT_ADDR`'),
  SIGNET_LISTEN: optional(
    '127.0.0.1:8555',
    'address of the API; TLS ends here, so what stands in front passes TCP',
  ),
  SIGNET_BROKER_DNS: optional(
    '',
    "host names and IP addresses, by comma, that the broker's certificate carries beside its SPIFFE ID",
  ),
  SIGNET_ADMIN: optional('127.0.0.1:0', 'loopback address for health and metrics'),
  SIGNET_LOG_LEVEL: optional(
    'info',
    `least severity that is logged: ${LOG_LEVELS.map((level) => `\`${level}\``).join(', ')}`,
  ),
  SIGNET_KUBERNETES: optional(
    '',
    'clusters whose pods may prove who they are, separated by white space: `name=in-cluster`, `name=kubeconfig:/path` or `name=offline:/path`; docs/kubernetes-attestation.md',
  ),
  SIGNET_KUBERNETES_ANNOTATIONS: optional(
    '',
    'annotations of pods, by comma, that entries may select by as `k8s:annotation:<name>`',
  ),
  SIGNET_INJECTOR: optional(
    '',
    'JSON file of how pods of the cluster that this broker runs in are given sidecars; without it, none are; docs/kubernetes-injection.md',
  ),
  SIGNET_KUBERNETES_SOURCE: optional(
    'any',
    'where a pod may connect from: `any`, or `pod` for an address of that pod alone, which needs a network that does not translate addresses',
  ),
  SIGNET_DEVICE_CAS: optional(
    '',
    'JSON file of the manufacturers whose certificates devices may show, and of the tenants whose devices they are; without it, none may; docs/devices.md',
  ),
  SIGNET_TPM_CAS: optional(
    '',
    'machines may prove who they are by their TPM: PEM file of the makers whose certificates count, or `none` for keys that entries pin alone; without it, none may; docs/devices.md',
  ),
  SIGNET_AWS_CERTIFICATES: optional(
    '',
    'certificates of AWS by which EC2 instances may prove who they are, separated by white space: `region=/path`, each with the RSA-2048 one of that region (PEM); without it, none may; docs/aws.md',
  ),
  SIGNET_AWS_LAUNCHED_WITHIN: optional(
    '',
    'how long after its launch an EC2 instance may come for the first time, such as `30m` or `24h`; without it, whenever it likes',
  ),
  SIGNET_AUDIT_DIR: optional(
    '',
    'folder in which audit records that sidecars send are kept; without it, none are taken; docs/audit.md',
  ),
  SIGNET_OTLP: optional(
    '',
    'OpenTelemetry collector that gets metrics and log lines by OTLP/HTTP: an https address, or an http one on loopback',
  ),
  SIGNET_OTLP_CA: optional(
    '',
    "PEM file of the authorities for the collector's certificate; without it, the public ones that Node.js ships",
  ),
  SIGNET_RATE_SOURCE: optional(
    '100',
    'requests and connections a second from one address (IPv6: one /64); five times as many at once',
  ),
  SIGNET_RATE_IDENTITY: optional('20', 'grants a second for one SPIFFE ID; five times as many at once'),
  SIGNET_MAX_CONNECTIONS: optional('4096', 'open connections in all'),
  SIGNET_MAX_CONNECTIONS_SOURCE: optional('512', 'open connections from one address'),
  SIGNET_MAX_ATTESTATIONS: optional(
    '256',
    'attestations under way at once; beyond them callers are told to come back',
  ),
  SIGNET_RELOAD: optional(
    '30s',
    'how often all registrations, whatever the revision says, and the bundle are read again',
  ),
  SIGNET_REQUEST_TIMEOUT: optional('10s', 'how long a request may take to arrive, head and body'),
  SIGNET_DRAIN_TIMEOUT: optional('10s', 'how long requests under way may take to end after SIGTERM'),
} as const satisfies Readonly<Record<string, Setting>>;

export type SettingName = keyof typeof SETTINGS;

const NAMES = Object.keys(SETTINGS) as SettingName[];

/** What `--help` prints. */
export function settingsHelp(): string {
  const rows = NAMES.map((name) => {
    const { fallback, required: must, doc } = SETTINGS[name] as Setting;
    const note = must ? '\n(required)' : fallback && `\n(default: ${fallback})`;
    return `  ${name.padEnd(30)} ${`${doc.replaceAll('`', '')}${note}`.replaceAll('\n', `\n${' '.repeat(33)}`)}`;
  });
  return [
    'usage: signet broker [--help]',
    '       signet broker health   whether the broker of this environment is ready: exit status 0, or 1',
    '',
    'Verifies workloads and gives each the right to have Vault sign one SVID. Configuration is the environment:',
    '',
    ...rows,
    '',
    'SIGTERM lets requests under way end, then ends. Without Vault it starts, says so on /readyz, and keeps trying.',
    'Exit status: 0 ended on request, 1 failed, 2 wrong usage or configuration.',
    '',
  ].join('\n');
}
