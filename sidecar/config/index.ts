import { LOG_LEVELS, type LogLevel } from '../../lib/adapter/log.ts';
import { ConfigError, type Environment, readSettings } from '../../lib/adapter/settings.ts';
import type { RiskRules } from '../../lib/risk/index.ts';
import { parseTrustDomain } from '../../lib/spiffe/index.ts';
import type { Address, Listen } from '../address.ts';
import { type AppSettings, parseClaims } from './app.ts';
import { type AuditSettings, auditFlaw, parseAuditOptions, parseAuditSinks } from './audit.ts';
import { type Fingerprint, parseProofMode, parseProofTtl } from './fingerprint.ts';
import { type Limits, parseLimits } from './limits.ts';
import { riskRules } from './risk.ts';
import { parseCallees, type ServicesSettings } from './services.ts';
import { SETTINGS, type SettingName } from './settings.ts';
import { MOST_WORKERS, shared, unsharable } from './sharing.ts';
import { parseCollector, parseShare, type TelemetrySettings, telemetryOf } from './telemetry.ts';
import {
  type AdminListener,
  type AttestSpec,
  countTo,
  type Forwards,
  oneOf,
  parseAdmin,
  parseAttest,
  parseAuthorities,
  parseForwards,
  parseHealth,
  parseLoopback,
  parseOrigin,
  SettingError,
  type Upstream,
  withCredentials,
} from './values.ts';

export type Config = {
  readonly trustDomain: string;
  readonly logLevel: LogLevel;
  readonly mode: 'service' | 'agent';
  /** `ca`: PEM. */
  readonly broker: { readonly url: URL; readonly ca: string };
  readonly vault: VaultSettings;
  readonly attest: AttestSpec;
  readonly inbound: Forwards | null;
  /** Null: policies and the deny-list come from the broker. */
  readonly policyFile: string | null;
  readonly outbound: {
    readonly listen: Listen;
    readonly upstreams: readonly Upstream[];
    readonly transparent?: Listen;
    /** Left out: the upstreams are all there is. */
    readonly services?: ServicesSettings;
  } | null;
  readonly fingerprint: Fingerprint;
  /** File of the issuers of end users' tokens; null: no end user is told from another. */
  readonly users: string | null;
  /** What the app is told. */
  readonly app: AppSettings;
  /** What makes a request unusual; null: nothing does. */
  readonly risk: RiskRules | null;
  readonly limits: Limits;
  readonly audit: AuditSettings;
  /** Whether the broker is told who calls. */
  readonly calls: boolean;
  readonly admin: AdminListener;
  /** Null: nobody is answered but on the admin listener. */
  readonly health: Address | null;
  /** Processes that serve. With more than one, all they listen on is shared. */
  readonly workers: number;
  /** Null: none. */
  readonly telemetry: TelemetrySettings | null;
};

export type VaultSettings = {
  /** Null: where the broker says. */
  readonly address: URL | null;
  readonly namespace: string | null;
  /** PEM; null: the public authorities. */
  readonly ca: string | null;
};

/**
 * Reads the environment, and the files of authorities it names.
 * @throws ConfigError with every defect, by variable, never quoting a value
 */
export function loadConfig(environment: Environment, readFile: (path: string) => string): Config {
  const text = readSettings(SETTINGS, environment);
  const defects: string[] = [];
  const flaw = (name: SettingName, message: string) => void defects.push(`${name} ${message}`);
  /** Undefined where the setting is empty, or where a defect has been noted. */
  const parse = <T>(name: SettingName, parser: (text: string) => T): T | undefined => {
    if (text[name] === '') return undefined;
    try {
      return parser(text[name]);
    } catch (error) {
      for (const defect of error instanceof SettingError ? error.defects : ['cannot be read'])
        flaw(name, defect);
      return undefined;
    }
  };
  const authorities = (path: string) => parseAuthorities(readFrom(path, readFile));

  demandPresent(text, flaw);
  const trustDomain = parse('SIGNET_TRUST_DOMAIN', asTrustDomain);
  const brokerUrl = parse('SIGNET_BROKER_URL', (s) => parseOrigin(s, 'https'));
  const brokerCa = parse('SIGNET_BROKER_CA', authorities);
  const { CREDENTIALS_DIRECTORY: credentials } = environment;
  const attest = parse('SIGNET_ATTEST', (text) => parseAttest(withCredentials(text, credentials)));
  const mode = parse('SIGNET_MODE', oneOf(['service', 'agent']));
  const forwards = parse('SIGNET_INBOUND', parseForwards);
  const listen = parse('SIGNET_OUTBOUND', parseLoopback);
  const callees = parse('SIGNET_UPSTREAMS', parseCallees) ?? { upstreams: [] };
  const transparent = parse('SIGNET_TRANSPARENT', parseLoopback);
  const app = {
    claims: parse('SIGNET_CLAIMS', parseClaims) ?? [],
    assertion: parse('SIGNET_ASSERTION', oneOf(['on', 'off'])) === 'on',
    transaction: parse('SIGNET_TRANSACTION', oneOf(['on', 'off'])) === 'on',
  };
  const sends = parse('SIGNET_FINGERPRINT', parseProofMode);
  const requires = parse('SIGNET_FINGERPRINT_REQUIRED', parseProofMode);
  const ttlSeconds = parse('SIGNET_FINGERPRINT_TTL', parseProofTtl);
  const risk = parse('SIGNET_RISK', (path) => riskRules(readFrom(path, readFile)));
  const limits = parse('SIGNET_LIMITS', parseLimits);
  const sinks = parse('SIGNET_AUDIT', parseAuditSinks);
  const auditOptions = parse('SIGNET_AUDIT_OPTIONS', parseAuditOptions) ?? parseAuditOptions('');
  const calls = parse('SIGNET_CALLS', oneOf(['off', 'broker']));
  const workers = parse('SIGNET_WORKERS', countTo(MOST_WORKERS)) ?? 1;
  const admin = parse('SIGNET_ADMIN', parseAdmin);
  const health = parse('SIGNET_HEALTH', parseHealth);
  const logLevel = parse('SIGNET_LOG_LEVEL', oneOf(LOG_LEVELS));
  const vaultAddress = parse('VAULT_ADDR', (s) => parseOrigin(s, 'https or loopback http'));
  const vaultCa = parse('VAULT_CACERT', authorities);
  const collector = parse('SIGNET_OTLP', parseCollector);
  const collectorCa = parse('SIGNET_OTLP_CA', authorities);
  const share = parse('SIGNET_TRACING', parseShare);

  const auditDefect = sinks === undefined ? null : auditFlaw(sinks, auditOptions);
  if (auditDefect !== null) flaw('SIGNET_AUDIT_OPTIONS', auditDefect);
  const listening = {
    inbound: forwards ?? null,
    outbound:
      listen === undefined
        ? null
        : { listen, ...callees, ...(transparent === undefined ? {} : { transparent }) },
  };
  if (workers > 1) for (const [name, why] of unsharable({ mode, attest, ...listening })) flaw(name, why);

  if (defects.length > 0) throw new ConfigError(defects);
  return {
    // Without a defect, what is required or has a fallback is there.
    trustDomain: trustDomain!,
    logLevel: logLevel!,
    mode: mode!,
    broker: { url: brokerUrl!, ca: brokerCa! },
    vault: {
      address: vaultAddress ?? null,
      namespace: text.VAULT_NAMESPACE || null,
      ca: vaultCa ?? null,
    },
    attest: attest!,
    ...(workers > 1 ? shared(listening) : listening),
    fingerprint: { sends: sends!, requires: requires!, ttlSeconds: ttlSeconds! },
    users: text.SIGNET_USERS || null,
    app,
    policyFile: text.SIGNET_POLICY_FILE || null,
    risk: risk ?? null,
    limits: limits ?? { inbound: {}, outbound: {} },
    audit: { ...sinks!, ...auditOptions },
    calls: calls === 'broker',
    admin: admin!,
    health: health ?? null,
    workers,
    telemetry: telemetryOf(collector, collectorCa, share),
  };
}

type Texts = Readonly<Record<SettingName, string>>;

function demandPresent(text: Texts, flaw: (name: SettingName, message: string) => void): void {
  const always = ['SIGNET_TRUST_DOMAIN', 'SIGNET_BROKER_URL', 'SIGNET_BROKER_CA', 'SIGNET_ATTEST'] as const;
  for (const name of always) if (text[name] === '') flaw(name, 'is missing');
  const [inbound, outbound] = [text.SIGNET_INBOUND !== '', text.SIGNET_OUTBOUND !== ''];
  if (!inbound && text.SIGNET_USERS !== '') flaw('SIGNET_INBOUND', 'is missing (SIGNET_USERS is set)');
  if (outbound && text.SIGNET_UPSTREAMS === '')
    flaw('SIGNET_UPSTREAMS', 'is missing (SIGNET_OUTBOUND is set)');
  if (!outbound && text.SIGNET_UPSTREAMS !== '')
    flaw('SIGNET_OUTBOUND', 'is missing (SIGNET_UPSTREAMS is set)');
  if (!outbound && text.SIGNET_TRANSPARENT !== '')
    flaw('SIGNET_OUTBOUND', 'is missing (SIGNET_TRANSPARENT is set)');
  if (text.SIGNET_MODE === 'service' && !inbound && !outbound)
    flaw('SIGNET_MODE', 'is service, and neither SIGNET_INBOUND nor SIGNET_OUTBOUND is set');
  if (text.SIGNET_MODE === 'agent' && (inbound || outbound))
    flaw('SIGNET_MODE', 'is agent, and SIGNET_INBOUND or SIGNET_OUTBOUND is set');
}

function asTrustDomain(text: string): string {
  try {
    return parseTrustDomain(text);
  } catch {
    throw new SettingError('is not a trust domain (up to 255 of a-z 0-9 . _ -)');
  }
}

function readFrom(path: string, readFile: (path: string) => string): string {
  try {
    return readFile(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new SettingError(
      code === 'ENOENT' ? 'names a file that does not exist' : 'names a file that cannot be read',
    );
  }
}
