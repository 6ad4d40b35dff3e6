import type { Clock } from '../lib/adapter/clock.ts';
import type { Log } from '../lib/adapter/log.ts';
import type { Metrics } from '../lib/adapter/metrics.ts';
import type { AuditEvent } from '../lib/audit/index.ts';
import { type AuditWriter, openAudit } from './audit/index.ts';
import type { Config } from './config/index.ts';
import { createDecider } from './decide.ts';
import type { Credentials, Svid } from './identity/credentials.ts';
import { createInbound } from './inbound/index.ts';
import { settleMemory } from './memory.ts';
import { createOutbound } from './outbound/index.ts';
import { openPolicyFile, type PolicyStatus } from './policy-file.ts';
import { warmUp } from './warm-up.ts';

export type ServingDeps = {
  readonly config: Pick<Config, 'trustDomain' | 'mode' | 'inbound' | 'outbound' | 'limits' | 'audit'>;
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
};

/** All that stands around the credentials: audit, policy, and the two proxies where they are configured. */
export interface Serving extends AsyncDisposable {
  /** What is still missing before requests can be served. */
  missing(): string[];
  readonly status: {
    readonly audit: Pick<AuditWriter, 'accepting' | 'head'>;
    readonly policy: PolicyStatus | null;
  };
  record(event: AuditEvent): void;
  reloadPolicy(): Promise<void>;
}

/** How long what is under way may take to end. Together under the 30 s after which orchestrators kill. */
const INBOUND_DRAIN_MS = 20_000;
const OUTBOUND_DRAIN_MS = 4_000;
const AUDIT_MS = 4_000;

/**
 * Opens the audit, reads the policies and begins to listen. It needs no identity yet: what cannot work shows before evidence is spent.
 * @throws AuditError, or the system's error when a file or an address cannot be had
 */
export async function startServing(deps: ServingDeps): Promise<Serving> {
  const { config, credentials, clock, log, metrics } = deps;
  await using stack = new AsyncDisposableStack();
  const audit = await openAudit({ target: config.audit, credentials, clock, log, metrics });
  stack.defer(async () => void (await audit.close(AUDIT_MS)));

  const policy =
    config.inbound === null
      ? null
      : stack.use(await openPolicyFile({ file: config.inbound.policyFile, log, metrics }));
  const aim = (svid: Svid | null) => {
    if (svid !== null) policy?.aim(svid.id);
  };
  aim(credentials.current);
  // Before the listeners subscribe: a new identity must not be served by the policies of the old one.
  stack.defer(credentials.subscribe(aim));

  // The app needs its outbound calls until the last inbound request is answered, so inbound comes last and drains first.
  const common = { credentials, clock, log, metrics };
  if (config.outbound !== null) {
    const outbound = await createOutbound({ ...config.outbound, limits: config.limits.outbound, ...common });
    stack.defer(async () =>
      tellCut(log, 'outbound', await outbound.close({ deadlineMs: OUTBOUND_DRAIN_MS })),
    );
  }
  if (config.inbound !== null && policy !== null) {
    const decider = stack.use(createDecider({ policy, audit, clock, metrics }));
    const { http, tcp, anonymous } = config.inbound;
    const inbound = await createInbound({
      listen: http?.listen ?? null,
      app: http?.app ?? null,
      tcp,
      anonymous,
      limits: config.limits.inbound,
      trustDomain: config.trustDomain,
      decider,
      ...common,
    });
    stack.defer(async () => tellCut(log, 'inbound', await inbound.close({ deadlineMs: INBOUND_DRAIN_MS })));
  }

  let warm = config.mode === 'agent';
  let memory: Disposable | null = null;
  stack.defer(() => memory?.[Symbol.dispose]());
  const warmOnce = async (svid: Svid) => {
    await warmUp(svid).catch((error: unknown) => log.warn('warm_up_failed', { error }));
    memory = await settleMemory();
    warm = true;
  };
  if (!warm) void firstSvid(credentials).then(warmOnce);

  const owned = stack.move();
  return {
    missing: () => [
      ...(warm ? [] : ['warm-up']),
      ...(audit.accepting ? [] : ['audit']),
      ...(policy === null || policy.current !== null ? [] : ['policy']),
    ],
    get status() {
      return { audit: { accepting: audit.accepting, head: audit.head }, policy: policy?.status ?? null };
    },
    record: (event) => audit.record(event, clock.now()),
    reloadPolicy: async () => policy?.reload(),
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

function tellCut(log: Log, what: string, connections: number): void {
  if (connections > 0) log.warn('drain_cut', { what, connections });
}
