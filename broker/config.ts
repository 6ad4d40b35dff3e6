import { isIP } from 'node:net';
import { LOG_LEVELS, type LogLevel } from '../lib/adapter/log.ts';
import { collectorUrl } from '../lib/adapter/otlp/collector-url.ts';
import type { OtlpSettings } from '../lib/adapter/otlp/index.ts';
import { ConfigError, type Environment, readSettings } from '../lib/adapter/settings.ts';
import { InputError } from '../lib/errors.ts';
import { parseTrustDomain } from '../lib/spiffe/index.ts';
import { type InjectorConfig, parseInjector } from './admission/config.ts';
import { type AwsCertificate, readAwsCertificates } from './aws-certificates.ts';
import {
  type ClusterSpec,
  type KubernetesConfig,
  readAnnotations,
  readClusterSpecs,
} from './cluster-specs.ts';
import { SETTINGS, type SettingName } from './settings.ts';
import { parseVaultLogin, type VaultLogin } from './vault-login.ts';

export type Listen = { readonly host: string; readonly port: number };

export type Config = {
  readonly trustDomain: string;
  readonly logLevel: LogLevel;
  readonly listen: Listen;
  readonly admin: Listen;
  /** Names that the broker's certificate carries beside its SPIFFE ID. */
  readonly names: { readonly dns: readonly string[]; readonly ips: readonly string[] };
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
  /** EC2 instances; without certificates the feature is off, and nothing of it is loaded. */
  readonly aws: {
    readonly certificates: readonly AwsCertificate[];
    /** Null: an instance may come for the first time whenever it likes. */
    readonly launchedWithinMs: number | null;
  };
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
    aws: {
      certificates: parse('SIGNET_AWS_CERTIFICATES', (s) => asAwsCertificates(s, readFile), []),
      launchedWithinMs: parse<number | null>('SIGNET_AWS_LAUNCHED_WITHIN', parseAge, null),
    },
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

/** Why a text is refused. It reads on from the variable's name and never quotes the text, which may be a misplaced secret. */
class Refusal extends Error {}

function asTrustDomain(text: string): string {
  try {
    return parseTrustDomain(text);
  } catch {
    throw new Refusal('is not a trust domain (up to 255 of a-z 0-9 . _ -)');
  }
}

function asLogLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((word) => word === text);
  if (level === undefined) throw new Refusal(`is not one of ${LOG_LEVELS.join(', ')}`);
  return level;
}

function asNamespace(text: string): string {
  if (!/^[A-Za-z0-9._/-]{1,255}$/.test(text)) throw new Refusal('is not a Vault namespace');
  return text;
}

function parseCollector(text: string): URL {
  const url = collectorUrl(text);
  if (typeof url === 'string') throw new Refusal(url);
  return url;
}

function asClusters(
  text: string,
  environment: Environment,
  readFile: (path: string) => string,
): readonly ClusterSpec[] {
  const specs = readClusterSpecs(text, { environment, readFile });
  if (typeof specs === 'string') throw new Refusal(specs);
  return specs;
}

function asAwsCertificates(text: string, readFile: (path: string) => string): readonly AwsCertificate[] {
  const certificates = readAwsCertificates(text, readFile);
  if (typeof certificates === 'string') throw new Refusal(certificates);
  return certificates;
}

function parseAge(text: string): number {
  const [, digits, unit] = /^([1-9]\d{0,4})(m|h)$/.exec(text) ?? [];
  if (digits === undefined) throw new Refusal('is not a time such as 30m or 24h');
  return Number(digits) * (unit === 'h' ? 60 : 1) * UNITS.m;
}

function parseAnnotations(text: string): readonly string[] {
  const names = readAnnotations(text);
  if (names === undefined) throw new Refusal('is not a list of annotations, by comma');
  return names;
}

function asSource(text: string, clusters: readonly ClusterSpec[]): KubernetesConfig['source'] {
  if (text !== 'pod' && text !== 'any') throw new Refusal('is not pod or any');
  if (text === 'pod' && clusters.some(({ kind }) => kind === 'offline'))
    throw new Refusal('is pod, and of an offline cluster the addresses of pods are not known');
  return text;
}

function asInjector(
  path: string,
  clusters: readonly ClusterSpec[],
  readFile: (path: string) => string,
): InjectorConfig {
  const text = readFrom(path, readFile);
  try {
    const injector = parseInjector(text, readFile);
    if (clusters.some(({ name, kind }) => name === injector.cluster && kind !== 'offline')) return injector;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const defects = error.defects.map(({ pointer, message }) => `${pointer || '/'} ${message}`);
    throw new Refusal(`cannot be used: ${defects.join('; ')}`);
  }
  throw new Refusal('cannot be used: /cluster is not one of SIGNET_KUBERNETES with an API server');
}

function parseVaultAddress(text: string): string {
  const url = parsePublicAddress(text);
  const { protocol, hostname } = new URL(url);
  if (protocol === 'http:' && !isLoopback(hostname)) {
    throw new Refusal('is plain http to another machine, which would show it every token: use https');
  }
  return url;
}

function parsePublicAddress(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new Refusal('is not a URL such as https://vault:8200');
  }
  if (url.username || url.password || url.search || url.hash || url.pathname !== '/') {
    throw new Refusal('is more than scheme, host and port');
  }
  return url.origin;
}

function parseListen(text: string, loopback: boolean): Listen {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? (plain === '' ? '::' : plain);
  const port = Number(digits);
  if (host === undefined || port > 65_535 || (isIP(host) === 0 && host !== 'localhost')) {
    throw new Refusal('is not an address such as 127.0.0.1:8555');
  }
  if (loopback && !isLoopback(host)) throw new Refusal('is not on loopback: metrics are not for everyone');
  return { host, port };
}

function isLoopback(host: string): boolean {
  return (
    host === 'localhost' ||
    host === '::1' ||
    host === '[::1]' ||
    (isIP(host) === 4 && host.startsWith('127.'))
  );
}

const DNS_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

function parseNames(text: string): Config['names'] {
  const names = text.split(',').map((name) => name.trim());
  const ips = names.filter((name) => isIP(name) !== 0);
  const dns = names.filter((name) => isIP(name) === 0);
  if (!dns.every((name) => DNS_NAME.test(name))) {
    throw new Refusal('is not a list of host names in lower case and IP addresses, by comma');
  }
  return { dns, ips };
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d{1,7}$/.test(text) || count === 0) throw new Refusal('is not a whole number above 0');
  return count;
}

const UNITS = { ms: 1, s: 1000, m: 60_000 } as const;

function parseDuration(text: string): number {
  const [, digits, unit] = /^([1-9]\d{0,5})(ms|s|m)$/.exec(text) ?? [];
  if (digits === undefined) throw new Refusal('is not a time such as 500ms, 10s or 1m');
  const ms = Number(digits) * UNITS[unit as keyof typeof UNITS];
  if (ms > 10 * UNITS.m) throw new Refusal('is over ten minutes');
  return ms;
}

function readFrom(path: string, readFile: (path: string) => string): string {
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new Refusal(`names a file that ${missing ? 'does not exist' : 'cannot be read'}`);
  }
  if (text.trim() === '') throw new Refusal('names an empty file');
  return text;
}
