import type { AuditWriter } from './audit/index.ts';
import { createDecider } from './decide.ts';
import { createInbound } from './inbound/index.ts';
import { type Observer, observingFor } from './observe.ts';
import { createOutbound } from './outbound/index.ts';
import type { PolicyFile } from './policy-file.ts';
import type { ServingDeps } from './serving.ts';

/** How long what is under way may take to end. Together under the 30 s after which orchestrators kill. */
const DRAIN = { inboundMs: 20_000, outboundMs: 4_000 };
/** Where nobody waits to kill. */
export const LONG_DRAIN = { inboundMs: 60_000, outboundMs: 60_000 };

/** The two proxies, where they are configured. */
export class Proxies {
  drain = DRAIN;
  /** Everything that there is to listen on is listened on. */
  listening = false;
  private readonly deps: ServingDeps;
  private readonly policy: PolicyFile | null;
  private readonly audit: AuditWriter;
  private readonly stack = new AsyncDisposableStack();

  constructor(deps: ServingDeps, policy: PolicyFile | null, audit: AuditWriter) {
    this.deps = deps;
    this.policy = policy;
    this.audit = audit;
  }

  /** @throws the system's error when an address cannot be had; `close` is then still to be called */
  async listen(): Promise<void> {
    const { stack, policy, audit } = this;
    const { config, credentials, clock, log, metrics } = this.deps;
    // The app needs its outbound calls until the last inbound request is answered, so inbound comes last and drains first.
    const { telemetry } = this.deps;
    const observers: readonly Observer[] = telemetry?.observers ?? [];
    const observing = observingFor(observers, clock, telemetry?.tracing ?? null);
    const common = { credentials, clock, log, metrics, observing };
    if (config.outbound !== null) {
      const outbound = await createOutbound({
        ...config.outbound,
        limits: config.limits.outbound,
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
        trustDomain: config.trustDomain,
        decider,
        ...common,
      });
      stack.defer(async () =>
        this.tellCut('inbound', await inbound.close({ deadlineMs: this.drain.inboundMs })),
      );
    }
    this.listening = true;
  }

  /** Lets what is under way end. */
  close(): Promise<void> {
    return this.stack.disposeAsync();
  }

  private tellCut(what: string, connections: number): void {
    if (connections > 0) this.deps.log.warn('drain_cut', { what, connections });
  }
}
