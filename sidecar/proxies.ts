import type { Jwks } from '../lib/assertion/index.ts';
import type { Assertions } from './assertion/index.ts';
import type { AuditWriter } from './audit/index.ts';
import type { Calls } from './calls/index.ts';
import { createDecider } from './decide.ts';
import { createInbound } from './inbound/index.ts';
import type { Screens } from './inbound/screens.ts';
import { type Observer, observingFor } from './observe.ts';
import { createOutbound } from './outbound/index.ts';
import type { Policies } from './policy/index.ts';
import type { LocalRisks } from './risk/index.ts';
import type { Services } from './services/index.ts';
import type { ServingDeps } from './serving.ts';

/** How long what is under way may take to end. Together under the 30 s after which orchestrators kill. */
const DRAIN = { inboundMs: 20_000, outboundMs: 4_000 };
/** What is left of that when the audit has its time too. */
const CALLS_MS = 1_500;
/** Where nobody waits to kill. */
export const LONG_DRAIN = { inboundMs: 60_000, outboundMs: 60_000 };

/** The two proxies, where they are configured. */
export class Proxies {
  drain = DRAIN;
  /** Everything that there is to listen on is listened on. */
  listening = false;
  private readonly deps: ServingDeps;
  private readonly policy: Policies | null;
  private readonly audit: AuditWriter;
  private assertions: Assertions | null = null;
  private readonly screens: Screens;
  private readonly stack = new AsyncDisposableStack();

  private readonly services: Services | null;

  constructor(
    deps: ServingDeps,
    policy: Policies | null,
    audit: AuditWriter,
    screens: Screens,
    services: Services | null,
  ) {
    this.deps = deps;
    this.services = services;
    this.policy = policy;
    this.audit = audit;
    this.screens = screens;
  }

  /** @throws the system's error when an address cannot be had; `close` is then still to be called */
  async listen(): Promise<void> {
    const { stack, policy, audit } = this;
    const { config, credentials, clock, log, metrics } = this.deps;
    // The app needs its outbound calls until the last inbound request is answered, so inbound comes last and drains first.
    const { telemetry } = this.deps;
    const risks = config.inbound === null ? null : await this.openRisks();
    const calls = config.inbound === null ? null : await this.openCalls();
    const observers: Observer[] = [telemetry?.observers ?? [], risks ?? [], calls ?? []].flat();
    const observing = observingFor(observers, clock, telemetry?.tracing ?? null);
    const common = { credentials, clock, log, metrics, observing };
    this.assertions = await this.openAssertions();
    const { proofsFor, proverFor } = await import('./fingerprint/index.ts');
    if (config.outbound !== null) {
      const outbound = await createOutbound({
        ...config.outbound,
        services: this.services,
        limits: config.limits.outbound,
        screen: this.assertions?.outbound ?? null,
        prover: proverFor(config.fingerprint, clock),
        ...(policy === null ? {} : { denied: policy.denied }),
        ...common,
      });
      stack.defer(async () =>
        this.tellCut('outbound', await outbound.close({ deadlineMs: this.drain.outboundMs })),
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
        screens: {
          ...this.screens,
          proofs: proofsFor(config.fingerprint, metrics),
          origins: this.assertions?.origins ?? null,
          risks,
          view: this.assertions?.view ?? null,
        },
        trustDomain: config.trustDomain,
        decider,
        denied: policy.denied,
        ...common,
      });
      stack.defer(async () =>
        this.tellCut('inbound', await inbound.close({ deadlineMs: this.drain.inboundMs })),
      );
    }
    this.listening = true;
  }

  get jwks(): Jwks {
    return this.assertions?.jwks ?? { keys: [] };
  }

  /** Loaded only where the app is told anything beside its caller. */
  private async openAssertions(): Promise<Assertions | null> {
    const { config, credentials, clock, metrics } = this.deps;
    const { claims, assertion, transaction } = config.app;
    if (claims.length === 0 && !assertion && !transaction && this.screens.users === null) return null;
    const { createAssertions } = await import('./assertion/index.ts');
    return this.stack.use(createAssertions({ settings: config.app, credentials, clock, metrics }));
  }

  private async openRisks(): Promise<LocalRisks | null> {
    const { config, log, metrics } = this.deps;
    if (config.risk === null) return null;
    const { LocalRisks } = await import('./risk/index.ts');
    return new LocalRisks({ rules: config.risk, audit: this.audit, log, metrics });
  }

  /** It is told of the last exchange before it ends. */
  private async openCalls(): Promise<Calls | null> {
    const { config, credentials, clock, log, metrics } = this.deps;
    if (!config.calls) return null;
    const { openCalls } = await import('./calls/index.ts');
    const broker = { trustDomain: config.trustDomain, ...config.broker };
    const calls = openCalls({ broker, credentials, clock, log, metrics });
    this.stack.defer(() => calls.close(CALLS_MS));
    return calls;
  }

  /** Lets what is under way end. */
  close(): Promise<void> {
    return this.stack.disposeAsync();
  }

  private tellCut(what: string, connections: number): void {
    if (connections > 0) this.deps.log.warn('drain_cut', { what, connections });
  }
}
