import type { LogLevel } from '../lib/adapter/log.ts';
import type { OtlpSettings } from '../lib/adapter/otlp/index.ts';
import { ConfigError, type Environment, readSettings } from '../lib/adapter/settings.ts';
import type { InjectorConfig } from './admission/config.ts';
import type { AwsConfig } from './aws/certificates.ts';
import type { KubernetesConfig } from './cluster-specs.ts';
import { asAws, asDevices, asTpm, parseAge } from './config-devices.ts';
import { asClusters, asInjector, asSource, parseAnnotations } from './config-kubernetes.ts';
import {
  asLogLevel,
  asNamespace,
  asTrustDomain,
  type CertificateNames,
  type Listen,
  parseCollector,
  parseCount,
  parseDuration,
  parseListen,
  parseNames,
  parsePublicAddress,
  parseVaultAddress,
  Refusal,
  readFrom,
} from './config-values.ts';

import type { DeviceConfig } from './devices/config.ts';
import { SETTINGS, type SettingName } from './settings.ts';
import type { TpmConfig } from './tpm/config.ts';
import { parseVaultLogin, type VaultLogin } from './vault-login.ts';

export type Config = {
  readonly trustDomain: string;
  readonly logLevel: LogLevel;
  readonly listen: Listen;
  readonly admin: Listen;
  /** Names that the broker's certificate carries beside its SPIFFE ID. */
  readonly names: CertificateNames;
  readonly vault: {
    readonly address: string;
    readonly publicAddress: string;
    readonly namespace: string;
    /** PEM. */
    readonly caCert?: string;
    readonly login: VaultLogin;
    readonly timeoutMs: number;
  };
  /** Kubernetes clusters; none: the feature is off, and nothing of it is loaded. */
  readonly kubernetes: KubernetesConfig;
  /** Null: no pod is given a sidecar. */
  readonly injector: InjectorConfig | null;
  /** Null: devices are not attested by their certificates. */
  readonly devices: DeviceConfig | null;
  /** Null: machines are not attested by their TPM. */
  readonly tpm: TpmConfig | null;
  /** Null: EC2 instances are not attested by their identity documents. */
  readonly aws: AwsConfig | null;
  /** Where audit records are collected; empty: nowhere. */
  readonly auditDir: string;
  /** Null: nothing is sent to a collector. */
  readonly otlp: OtlpSettings | null;
  readonly limits: {
    /** Each a second, with a burst of five seconds' worth. */
    readonly ratePerSource: number;
    readonly ratePerIdentity: number;
    readonly connections: number;
    readonly connectionsPerSource: number;
    readonly attestations: number;
    readonly reloadMs: number;
    readonly requestMs: number;
    readonly drainMs: number;
  };
};

/**
 * Reads the environment. `readFile` reads the files it names, so that a wrong path is found at start and not at the first call.
 * @throws ConfigError with every defect, by variable, never quoting a value
 */
export function loadConfig(environment: Environment, readFile: (path: string) => string): Config {
  const text = readSettings(SETTINGS, environment);
  const defects: string[] = [];
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    if (SETTINGS[name].required && text[name] === '') defects.push(`${name} is missing`);
  }
  /** Parses what is there. The empty text stands for a value that is absent, or whose defect has been noted. */
  const parse = <T>(name: SettingName, parser: (text: string) => T, absent: T): T => {
    if (text[name] === '') return absent;
    try {
      return parser(text[name]);
    } catch (error) {
      defects.push(`${name} ${error instanceof Refusal ? error.message : 'cannot be read'}`);
      return absent;
    }
  };
  const readable = (path: string) => readFrom(path, readFile);
  const listen = (name: SettingName, loopback: boolean) =>
    parse(name, (s) => parseListen(s, loopback), { host: '', port: 0 });
  const count = (name: SettingName) => parse(name, parseCount, 0);
  const duration = (name: SettingName) => parse(name, parseDuration, 0);

  const address = parse('VAULT_ADDR', parseVaultAddress, '');
  parse('SIGNET_VAULT_SECRET_ID_FILE', readable, '');
  parse('SIGNET_VAULT_KUBERNETES_TOKEN_FILE', readable, '');
  const caCert = parse('VAULT_CACERT', readable, '');
  const collector = parse<URL | null>('SIGNET_OTLP', parseCollector, null);
  const collectorCa = parse('SIGNET_OTLP_CA', readable, '');
  const clusters = parse('SIGNET_KUBERNETES', (s) => asClusters(s, environment, readFile), []);
  const injector = parse<InjectorConfig | null>(
    'SIGNET_INJECTOR',
    (s) => asInjector(s, clusters, readFile),
    null,
  );
  const source = parse('SIGNET_KUBERNETES_SOURCE', (s) => asSource(s, clusters), 'any');
  const certificates = parse<AwsConfig['certificates'] | null>(
    'SIGNET_AWS_CERTIFICATES',
    (s) => asAws(s, readFile),
    null,
  );
  const launchedWithinMs = parse<number | null>('SIGNET_AWS_LAUNCHED_WITHIN', parseAge, null);
  const config: Config = {
    trustDomain: parse('SIGNET_TRUST_DOMAIN', asTrustDomain, ''),
    logLevel: parse('SIGNET_LOG_LEVEL', asLogLevel, 'info'),
    listen: listen('SIGNET_LISTEN', false),
    admin: listen('SIGNET_ADMIN', true),
    names: parse('SIGNET_BROKER_DNS', parseNames, { dns: [], ips: [] }),
    vault: {
      address,
      publicAddress: parse('SIGNET_VAULT_PUBLIC_ADDR', parsePublicAddress, address),
      namespace: parse('VAULT_NAMESPACE', asNamespace, ''),
      ...(caCert === '' ? {} : { caCert }),
      login: parseVaultLogin(text, (defect) => void defects.push(defect)),
      timeoutMs: duration('SIGNET_VAULT_TIMEOUT'),
    },
    injector,
    kubernetes: {
      clusters,
      annotations: parse('SIGNET_KUBERNETES_ANNOTATIONS', parseAnnotations, []),
      source,
    },
    devices: parse<DeviceConfig | null>('SIGNET_DEVICE_CAS', (s) => asDevices(s, readFile), null),
    tpm: parse<TpmConfig | null>('SIGNET_TPM_CAS', (s) => asTpm(s, readFile), null),
    aws: certificates === null ? null : { certificates, launchedWithinMs },
    auditDir: text.SIGNET_AUDIT_DIR,
    otlp: collector === null ? null : { url: collector, ca: collectorCa || null },
    limits: {
      ratePerSource: count('SIGNET_RATE_SOURCE'),
      ratePerIdentity: count('SIGNET_RATE_IDENTITY'),
      connections: count('SIGNET_MAX_CONNECTIONS'),
      connectionsPerSource: count('SIGNET_MAX_CONNECTIONS_SOURCE'),
      attestations: count('SIGNET_MAX_ATTESTATIONS'),
      reloadMs: duration('SIGNET_RELOAD'),
      requestMs: duration('SIGNET_REQUEST_TIMEOUT'),
      drainMs: duration('SIGNET_DRAIN_TIMEOUT'),
    },
  };
  if (defects.length > 0) throw new ConfigError(defects);
  return config;
}
