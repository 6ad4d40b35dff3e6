import { randomBytes } from 'node:crypto';
import type { Clock } from '../lib/adapter/clock.ts';
import type { Metrics } from '../lib/adapter/metrics.ts';
import {
  AuditError,
  type AuditEvent,
  type FieldText,
  fieldText,
  type RecordText,
  recordText,
  textField,
  withFields,
} from '../lib/audit/index.ts';
import {
  ANONYMOUS,
  type CompiledPolicy,
  type Decision,
  evaluate,
  type Facts,
  type User,
} from '../lib/policy/index.ts';
import type { SpiffeId } from '../lib/spiffe/index.ts';

/** Who asks: by the SVID that the connection was made with, or without one. */
export type Caller =
  | { readonly id: SpiffeId; readonly serial: string }
  | { readonly id: typeof ANONYMOUS; readonly serial: null };

export const ANONYMOUS_CALLER: Caller = { id: ANONYMOUS, serial: null };

/** A decision and the name under which the audit has it. */
export type Verdict = { readonly id: string; readonly decision: Decision };

/** How a WebSocket or a raw connection came to its end. Bytes of `received` came from the caller. */
export type PassageEnd = {
  readonly received: number;
  readonly sent: number;
  readonly ms: number;
  readonly reason: string;
};

/** Where decisions are written down. */
export interface DecisionLog {
  /** False while a record might be lost; nothing may be decided then. */
  readonly accepting: boolean;
  record(event: AuditEvent | RecordText, now: Date): void;
}

export interface Decider {
  /** Another object when other policies are in force; null when there are none. */
  readonly policy: object | null;
  /**
   * Judges and records one request; of `facts`, only what its record needs is kept. Null: it cannot be recorded, or there is no policy to
   * judge by, and must not be served. `correlation` is the request's name on its whole way, where it has one.
   */
  decide(
    caller: Caller,
    method: string,
    path: string,
    now: Date,
    facts?: Facts,
    correlation?: string,
  ): Verdict | null;
  /** Records that a request was refused before it could be judged, for its form. Null: its caller showed what is no SVID. */
  refused(caller: Caller | null, code: string): void;
  /** Records the end of what the decision `id` let through for longer than an answer takes. */
  ended(caller: Caller, id: string, protocol: string, end: PassageEnd): void;
}

export type DeciderDeps = {
  /** The policy in force. Null denies nothing and permits nothing: there is no judgement. */
  readonly policy: { readonly current: CompiledPolicy | null };
  readonly audit: DecisionLog;
  readonly clock: Clock;
  readonly metrics: Metrics;
};

/** Counts are handed to the registry so often, not at each request: a labelled counter costs more than a decision. */
const COUNT_EVERY_MS = 1_000;

/** The one point at which every request, stream and connection is judged, whatever protocol it came by. */
export function createDecider({ policy, audit, clock, metrics }: DeciderDeps): Decider & Disposable {
  const decisions = metrics.counter(
    'signet_decisions_total',
    'Requests judged, by effect and by what dry-run rules would change',
  );
  const malformed = metrics.counter(
    'signet_requests_refused_total',
    'Requests refused for their form, by code',
  );
  const run = randomBytes(6).toString('base64url');
  const counts = { allow: 0, deny: 0, would_deny: 0, would_allow: 0 };
  const text = new DecisionText();
  let sequence = 0;

  const count = ({ effect, wouldBe }: Decision) => {
    if (effect === 'allow') counts.allow++;
    else counts.deny++;
    if (wouldBe === effect) return;
    if (wouldBe === 'deny') counts.would_deny++;
    else counts.would_allow++;
  };
  const flush = () => {
    for (const [effect, n] of Object.entries(counts)) if (n > 0) decisions.add(n, { effect });
    Object.assign(counts, { allow: 0, deny: 0, would_deny: 0, would_allow: 0 });
  };
  const timer = setInterval(flush, COUNT_EVERY_MS);
  timer.unref();
  const refused = (caller: Caller | null, code: string) => {
    malformed.add(1, { code });
    if (audit.accepting)
      audit.record(
        { type: 'refused', code, caller: caller?.id ?? null, serial: caller?.serial ?? null },
        clock.now(),
      );
  };

  return {
    get policy() {
      return policy.current;
    },
    decide(caller, method, path, now, facts, correlation) {
      const compiled = policy.current;
      if (compiled === null || !audit.accepting) return null;
      const decision = evaluate(compiled, {
        ...{ caller: caller.id, method, path },
        ...(facts === undefined ? {} : { facts }),
      });
      const id = `${run}-${(sequence++).toString(36)}`;
      const record = text.of(id, caller, method, path, compiled, decision, facts ?? null);
      try {
        audit.record(correlation === undefined ? record : withFields(record, CORRELATION(correlation)), now);
      } catch (error) {
        // a long path, or a crowd of dry-run rules, makes a record that is too large
        if (!(error instanceof AuditError)) throw error;
        refused(caller, 'record_too_large');
        return null;
      }
      count(decision);
      return { id, decision };
    },
    refused,
    ended(caller, id, protocol, { received, sent, ms, reason }) {
      if (!audit.accepting) return;
      const { serial } = caller;
      audit.record(
        { type: 'end', id, caller: caller.id.toString(), serial, protocol, received, sent, ms, reason },
        clock.now(),
      );
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      flush();
    },
  };
}

const DECISION = recordText('decision');
const ID = textField('id');
const METHOD = textField('method');
const PATH = textField('path');
const POLICY = textField('policy');
const CORRELATION = textField('correlation_id');

/** Writes decisions down for the audit. What many have in common, the outcome and the caller, is written once. */
class DecisionText {
  private readonly outcomes = new WeakMap<Decision, FieldText>();
  private readonly callers = new WeakMap<Caller, FieldText>();
  private readonly users = new WeakMap<User, FieldText>();
  /** Of the policy in force. */
  private policy = { digest: '', text: POLICY('') };

  of(
    id: string,
    caller: Caller,
    method: string,
    path: string,
    policy: CompiledPolicy,
    decision: Decision,
    facts: Facts | null,
  ): RecordText {
    const start = withFields(withFields(DECISION, ID(id)), this.outcome(decision));
    const asked = withFields(withFields(withFields(start, this.caller(caller)), METHOD(method)), PATH(path));
    const { digest } = policy;
    if (digest !== this.policy.digest) this.policy = { digest, text: POLICY(digest) };
    const judged = withFields(asked, this.policy.text);
    const record = facts === null ? judged : this.withFacts(judged, caller, policy, facts);
    const { dryRun, wouldBe } = decision;
    return dryRun.length === 0
      ? record
      : withFields(record, fieldText({ dry_run: dryRun, would_be: wouldBe }));
  }

  /** Who the user is, how unusual the request, and what else rules ask about: nothing where there is nothing of it. */
  private withFacts(record: RecordText, caller: Caller, policy: CompiledPolicy, facts: Facts): RecordText {
    let all = record;
    if (facts.user !== null) all = withFields(all, this.user(facts.user));
    if (facts.assessed != null) {
      const { score, reasons } = facts.assessed;
      all = withFields(all, fieldText({ risk: { score, reasons } }));
    }
    const asked = policy.factsOf(caller.id, facts);
    return asked === null ? all : withFields(all, fieldText({ facts: asked }));
  }

  private user(user: User): FieldText {
    const known = this.users.get(user);
    if (known !== undefined) return known;
    const { issuer, subject } = user;
    const text = fieldText({ user: { issuer, subject } });
    this.users.set(user, text);
    return text;
  }

  private outcome(decision: Decision): FieldText {
    const known = this.outcomes.get(decision);
    if (known !== undefined) return known;
    const { effect, rule, level, dryRun } = decision;
    const challenge = effect === 'deny' ? decision.challenge : undefined;
    const text = fieldText({ effect, rule, level, ...(challenge === undefined ? {} : { challenge }) });
    // one that dry-run rules had a part in is made for one request alone
    if (dryRun.length === 0) this.outcomes.set(decision, text);
    return text;
  }

  private caller(caller: Caller): FieldText {
    const known = this.callers.get(caller);
    if (known !== undefined) return known;
    const text = fieldText({ caller: caller.id, serial: caller.serial });
    this.callers.set(caller, text);
    return text;
  }
}
