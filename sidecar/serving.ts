import type { Clock } from '../lib/adapter/clock.ts';
import { sleep } from '../lib/adapter/lifecycle.ts';
import type { Log } from '../lib/adapter/log.ts';
import type { Metrics } from '../lib/adapter/metrics.ts';
import type { Jwks } from '../lib/assertion/index.ts';
import type { AuditEvent } from '../lib/audit/index.ts';
import { type AuditWriter, openAudit } from './audit/index.ts';
import { auditOf } from './audit/of-settings.ts';
import type { Config } from './config/index.ts';
import type { Credentials, Svid } from './identity/credentials.ts';
import { NO_SCREENS } from './inbound/screens.ts';
import { settleMemory } from './memory.ts';
import { openPolicies, type PolicyStatus } from './policy/index.ts';
import { LONG_DRAIN, Proxies } from './proxies.ts';
import type { Services, ServicesStatus } from './services/index.ts';
import type { Telemetry } from './telemetry/index.ts';
import type { UsersFile, UsersStatus } from './users/index.ts';
import { warmUp } from './warm-up.ts';

export type ServingDeps = {
  readonly config: Pick<
    Config,
    | 'trustDomain'
    | 'broker'
    | 'mode'
    | 'inbound'
    | 'outbound'
    | 'policyFile'
    | 'users'
    | 'fingerprint'
    | 'app'
    | 'risk'
    | 'limits'
    | 'audit'
    | 'calls'
  > & {
    /** Which of several processes this is; left out where it is the only one. */
    readonly worker?: number;
  };
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Null, or left out: none. */
  readonly telemetry?: Pick<Telemetry, 'tracing' | 'observers'> | null;
};

/** All that stands around the credentials: audit, policy, and the two proxies where they are configured. */
export interface Serving extends AsyncDisposable {
  /** What is still missing before requests can be served. */
  missing(): string[];
  readonly status: {
    readonly audit: Pick<AuditWriter, 'accepting' | 'head' | 'collected'>;
    readonly policy: PolicyStatus | null;
    readonly users: UsersStatus | null;
    readonly services: ServicesStatus | null;
  };
  /** By which the app verifies what it is told. */
  readonly jwks: Jwks;
  record(event: AuditEvent): void;
  /** Reads policies and users again. */
  reload(): Promise<void>;
  /** Begins another audit file where somebody has moved the one that is written to. */
  reopenAudit(): Promise<void>;
  /** Gives what is under way more time to end: others serve meanwhile, and nobody waits to kill. */
  drainLong(): void;
  /** Rejects when an address cannot be had; never settles otherwise. */
  readonly failed: Promise<never>;
}

const AUDIT_MS = 4_000;
const LOOK_MS = 50;

/** What it needs of npm is loaded only where it is asked for. */
async function openUsers({ config, clock, log, metrics }: ServingDeps): Promise<UsersFile | null> {
  if (config.users === null) return null;
  const users = await import('./users/index.ts');
  return users.openUsers({ file: config.users, clock, log, metrics });
}

/** Loaded only where the app may call them. */
async function openServices({ config, credentials, log, metrics }: ServingDeps): Promise<Services | null> {
  const settings = config.outbound?.services;
  if (settings === undefined) return null;
  const services = await import('./services/index.ts');
  const broker = { trustDomain: config.trustDomain, ...config.broker };
  return await services.openServices({ settings, broker, credentials, log, metrics });
}

/**
 * Opens the audit, reads the policies and begins to listen. It needs no identity yet: what cannot work shows before evidence is spent.
 * One of several workers is different: on a port that others serve too it begins to listen only when it can serve.
 * @throws AuditError, or the system's error when a file or an address cannot be had
 */
export async function startServing(deps: ServingDeps): Promise<Serving> {
  const { config, credentials, clock, log, metrics } = deps;
  await using stack = new AsyncDisposableStack();
  const audit = await openAudit({
    ...auditOf(config),
    credentials,
    clock,
    log,
    metrics,
  });
  stack.defer(async () => void (await audit.close(AUDIT_MS)));

  const record = (event: AuditEvent) => audit.record(event, clock.now());
  const policy = await openPolicies({ config, credentials, clock, log, metrics, record });
  if (policy !== null) stack.use(policy);
  const users = await openUsers(deps);
  if (users !== null) stack.use(users);
  const services = await openServices(deps);
  if (services !== null) stack.use(services);
  const aim = (svid: Svid | null) => {
    if (svid !== null) policy?.aim(svid.id);
  };
  aim(credentials.current);
  // Before the listeners subscribe: a new identity must not be served by the policies of the old one.
  stack.defer(credentials.subscribe(aim));

  let warm = config.mode === 'agent';
  let memory: Disposable | null = null;
  stack.defer(() => memory?.[Symbol.dispose]());
  const warmOnce = async (svid: Svid) => {
    await warmUp(svid, { fingerprint: config.fingerprint }).catch((error: unknown) =>
      log.warn('warm_up_failed', { error }),
    );
    memory = await settleMemory();
    warm = true;
  };
  if (!warm) void firstSvid(credentials).then(warmOnce);
  const lacking = () => [
    ...(warm ? [] : ['warm-up']),
    ...(audit.accepting ? [] : ['audit']),
    ...(config.inbound === null || policy === null || policy.current !== null ? [] : ['policy']),
    ...(users === null || users.ready ? [] : ['users']),
    ...(services === null || services.current !== null ? [] : ['services']),
  ];

  const proxies = new Proxies(deps, policy, audit, { ...NO_SCREENS, users }, services);
  const closing = new AbortController();
  const mayListen = () =>
    config.worker === undefined || (credentials.current !== null && lacking().length === 0);
  const begin = async () => {
    while (!mayListen() && !closing.signal.aborted) await sleep(LOOK_MS, closing.signal);
    if (!closing.signal.aborted) await proxies.listen();
  };
  const began = begin();
  stack.defer(async () => {
    closing.abort();
    await began.catch(() => {});
    await proxies.close();
  });
  if (config.worker === undefined) await began;

  const failed = began.then(() => new Promise<never>(() => {}));
  // one who ends meanwhile does not wait for it
  failed.catch(() => {});

  const owned = stack.move();
  return {
    missing: () => [...(proxies.listening ? [] : ['listeners']), ...lacking()],
    failed,
    get status() {
      const { accepting, head, collected } = audit;
      return {
        audit: { accepting, head, collected },
        policy: policy?.status ?? null,
        users: users?.status ?? null,
        services: services?.status ?? null,
      };
    },
    get jwks() {
      return proxies.jwks;
    },
    record,
    reload: async () => void (await Promise.all([policy?.reload(), users?.reload()])),
    reopenAudit: () => audit.reopen(),
    drainLong() {
      proxies.drain = LONG_DRAIN;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function firstSvid(credentials: Credentials): Promise<Svid> {
  const { promise, resolve } = Promise.withResolvers<Svid>();
  const unsubscribe = credentials.subscribe((svid) => {
    if (svid === null) return;
    unsubscribe();
    resolve(svid);
  });
  return promise;
}
