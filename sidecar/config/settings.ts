import { LOG_LEVELS } from '../../lib/adapter/log.ts';
import type { Setting as Variable } from '../../lib/adapter/settings.ts';

/** `required`: when; empty where it never is. */
type Setting = Variable & { readonly required: string };

/** Every variable the sidecar reads, in the order that `--help` and docs/sidecar.md show. */
export const SETTINGS = {
  SIGNET_TRUST_DOMAIN: { fallback: '', required: 'always', doc: 'the trust domain, such as `example.org`' },
  SIGNET_BROKER_URL: { fallback: '', required: 'always', doc: 'the broker, such as `https://broker:8555`' },
  SIGNET_BROKER_CA: {
    fallback: '',
    required: 'always',
    doc: "PEM file of the authority that the broker's certificate must chain to",
  },
  SIGNET_ATTEST: {
    fallback: '',
    required: 'always',
    doc: 'how this workload proves who it is: `ssh-host:/path/to/host_key`, `kubernetes:/path/to/token` (or `…token@cluster`), `x509:/path/to/key.pem,/path/to/chain.pem` or `tpm:/dev/tpmrm0` (docs/devices.md), `aws:/path/to/host_key` (docs/aws.md), `join:/path/to/code`, or `join:-` for a code on standard input; a path that begins with `%d/` is a credential of systemd (docs/hosts.md)',
  },
  SIGNET_MODE: {
    fallback: 'service',
    required: '',
    doc: '`service`: identity and proxy; `agent`: identity only',
  },
  SIGNET_INBOUND: {
    fallback: '',
    required: 'mode service, unless SIGNET_OUTBOUND is set',
    doc: '`listener->app`, such as `0.0.0.0:8443->127.0.0.1:8080`: takes mTLS, gives plain HTTP to the app, which is on loopback; `tcp:listener->app` for raw connections, `tls:listener->app` or `http:listener->app` for clients without an SVID; several are separated by white space',
  },
  SIGNET_OUTBOUND: {
    fallback: '',
    required: 'mode service, unless SIGNET_INBOUND is set',
    doc: 'loopback address where the app speaks plain HTTP to its upstreams, such as `127.0.0.1:15001`',
  },
  SIGNET_UPSTREAMS: {
    fallback: '',
    required: 'with SIGNET_OUTBOUND',
    doc: 'what the app may call: `name=address[,address]#spiffe-id[,spiffe-id]`, separated by white space; `name@127.0.0.1:15010=…` gives it a local port of its own, `name@tcp:127.0.0.1:15432=…` one for raw connections; the word `services`: the Services of the Kubernetes cluster and registered ones too; docs/kubernetes-services.md, docs/services.md',
  },
  SIGNET_TRANSPARENT: {
    fallback: '',
    required: '',
    doc: "loopback address to which `signet sidecar iptables` redirects the app's connections, such as `127.0.0.1:15006`",
  },
  SIGNET_POLICY_FILE: {
    fallback: '',
    required: '',
    doc: 'JSON file of the policies for calls to the app, read again when it changes and on SIGHUP; without it, policies and the deny-list are those that the broker hands out',
  },
  SIGNET_USERS: {
    fallback: '',
    required: '',
    doc: "JSON file of the issuers whose tokens say who a request's end user is, and of where one is needed; read again when it changes and on SIGHUP",
  },
  SIGNET_CLAIMS: {
    fallback: '',
    required: '',
    doc: "the end user's claims that the app is told in `X-Signet-Claims`: names, separated by white space; docs/app.md",
  },
  SIGNET_ASSERTION: {
    fallback: 'off',
    required: '',
    doc: '`on`: every request to the app carries a signed `X-Signet-Assertion`; docs/app.md',
  },
  SIGNET_TRANSACTION: {
    fallback: 'off',
    required: '',
    doc: '`on`: what led to a request is passed on from service to service, for policy to ask about; docs/app.md',
  },
  SIGNET_FINGERPRINT: {
    fallback: 'channel',
    required: '',
    doc: "how the app's requests are proven to the sidecars they go to: `channel` by a key of the TLS connection, `signed` each by the key of the SVID, `off`; docs/fingerprint.md",
  },
  SIGNET_FINGERPRINT_REQUIRED: {
    fallback: 'channel',
    required: '',
    doc: 'how requests for the app have to be proven at least: `signed`, `channel` or `off`; callers without a sidecar need `off`',
  },
  SIGNET_FINGERPRINT_TTL: {
    fallback: '10s',
    required: '',
    doc: 'how long a proof that is sent is good for, 1s to 60s',
  },
  SIGNET_RISK: {
    fallback: '',
    required: '',
    doc: 'JSON file of what makes a request unusual; without it every score is 0; docs/risk.md',
  },
  SIGNET_LIMITS: {
    fallback: '',
    required: '',
    doc: 'bounds that shall differ from their defaults: `name=value`, separated by white space, such as `body=10m head-time=5s`; docs/sidecar.md lists them',
  },
  SIGNET_AUDIT: {
    fallback: '-',
    required: '',
    doc: 'where audit records go: a file that they are appended to, `-` for standard output, `broker`, or several of these, separated by white space; docs/audit.md',
  },
  SIGNET_AUDIT_OPTIONS: {
    fallback: '',
    required: '',
    doc: 'how the audit is kept: `rotate-size=64m`, `rotate-age=24h`, `keep=10`, `broker-buffer=8m`, `broker-full=refuse` or `broker-full=drop`, separated by white space; docs/audit.md',
  },
  SIGNET_CALLS: {
    fallback: 'off',
    required: '',
    doc: '`broker`: who called the app, by what route and with what outcome, is told to the broker once a minute; `off`; docs/calls.md',
  },
  SIGNET_OTLP: {
    fallback: '',
    required: '',
    doc: 'OpenTelemetry collector that gets spans, metrics and log lines by OTLP/HTTP: an https address, or an http one on loopback, such as `http://127.0.0.1:4318`',
  },
  SIGNET_OTLP_CA: {
    fallback: '',
    required: '',
    doc: "PEM file of the authorities for the collector's certificate; without it, the public ones that Node.js ships",
  },
  SIGNET_TRACING: {
    fallback: '',
    required: '',
    doc: 'share of new traces that is recorded, `0` to `1`. Set, or with SIGNET_OTLP (then `0.01`), every request has a trace context and a correlation id',
  },
  SIGNET_WORKERS: {
    fallback: '1',
    required: '',
    doc: 'how many processes serve, 1 to 64; several share the ports, so none may be port 0',
  },
  SIGNET_ADMIN: {
    fallback: '127.0.0.1:0',
    required: '',
    doc: 'loopback address or `unix:/path` for health, metrics, status and rotation',
  },
  SIGNET_HEALTH: {
    fallback: '',
    required: '',
    doc: 'address where anybody may ask `GET /healthz` and `GET /readyz`, such as `0.0.0.0:15021` for the probes of a kubelet; without it, none; docs/kubernetes-injection.md',
  },
  SIGNET_LOG_LEVEL: {
    fallback: 'info',
    required: '',
    doc: `least severity that is logged: ${LOG_LEVELS.map((level) => `\`${level}\``).join(', ')}`,
  },
  VAULT_ADDR: {
    fallback: '',
    required: '',
    doc: 'Vault as seen from here; without it, where the broker says',
  },
  VAULT_NAMESPACE: {
    fallback: '',
    required: '',
    doc: 'Vault namespace; without it, the one the broker names',
  },
  VAULT_CACERT: {
    fallback: '',
    required: '',
    doc: "PEM file of the authorities for Vault's certificate; without it, the public ones that Node.js ships",
  },
} as const satisfies Readonly<Record<string, Setting>>;

export type SettingName = keyof typeof SETTINGS;

/** What `--help` prints. */
export function settingsHelp(): string {
  const rows = Object.entries<Setting>(SETTINGS).map(([name, { fallback, required, doc }]) => {
    const notes = [required && `required: ${required}`, fallback && `default: ${fallback}`].filter(Boolean);
    const text = doc.replaceAll('`', '');
    return `  ${name.padEnd(20)} ${text}${notes.length > 0 ? `\n${' '.repeat(23)}(${notes.join('; ')})` : ''}`;
  });
  return [
    'usage: signet sidecar [--help]',
    '       signet sidecar health     whether the sidecar of this environment is ready: exit status 0, or 1',
    '       signet sidecar iptables   redirects connections to it: see signet sidecar iptables --help',
    '',
    "Keeps this workload's identity in memory, renews it, and proxies its calls. Configuration is the environment:",
    '',
    ...rows,
    '',
    'SIGHUP renews the identity now and reads the files of policies and users again. SIGTERM drains and ends.',
    'SIGUSR2 replaces several workers one after the other, losing no request.',
    'Exit status: 0 ended on request, 1 failed, 2 wrong usage or configuration.',
    '',
  ].join('\n');
}
