import type { KubernetesApi } from '../../lib/adapter/kubernetes/index.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import type { Entry } from '../../lib/attestation/index.ts';
import { SignetError } from '../../lib/errors.ts';
import { podSelectors } from '../attestors/kubernetes-selectors.ts';
import type { BundleSource } from '../bundle-source.ts';
import type { Registrations } from '../registrations.ts';
import { BROKER_CA } from './annotations.ts';
import { type Authorities, createAuthorities } from './authorities.ts';
import { keepCaBundle } from './ca-bundle.ts';
import type { InjectorConfig } from './config.ts';
import { type InjectorWorld, inject } from './inject.ts';
import { judgeChange, judgeNew, unmet, type Verdict } from './judge.ts';
import { createNamespaces } from './namespaces.ts';
import { type Pod, readPod } from './pod.ts';
import type { Answer, Request } from './review.ts';
import { recordOf } from './values.ts';

/** What the webhooks of one cluster are answered. */
export interface Admission {
  /**
   * A sidecar for a pod that asks for one. `within` is how long the API server waits, in milliseconds; `source` is whom limits count
   * as one.
   */
  mutate(request: Request, within: number, source?: string): Promise<Answer>;
  /** Whether a pod may be as it is. */
  validate(request: Request, within: number, source?: string): Promise<Answer>;
  /** Keeps the webhook configurations current, until `signal` fires. */
  run(signal: AbortSignal): Promise<void>;
}

export type AdmissionDeps = {
  readonly config: InjectorConfig;
  readonly trustDomain: string;
  readonly api: KubernetesApi;
  /** Annotations that entries may select by. */
  readonly annotations: readonly string[];
  readonly bundles: BundleSource;
  readonly registrations: Pick<Registrations, 'current'>;
  readonly log: Log;
  readonly metrics: Metrics;
  /** In milliseconds, and never goes back. */
  readonly monotonic: () => number;
};

const FINE: Answer = { allowed: true };
/** What is left of the API server's patience for the way back. */
const SHARE = 0.8;
/** One line of the log for a reason in so long. */
const QUIET_MS = 10_000;

export function createAdmission(deps: AdmissionDeps): Admission {
  const { config, trustDomain, log } = deps;
  const authorities = createAuthorities(deps.bundles, deps.monotonic);
  const namespaces = createNamespaces(deps.api, deps.monotonic);
  const answers = deps.metrics.counter(
    'signet_admission_answers_total',
    'answers to webhooks by kind and outcome',
  );
  const world = async (): Promise<InjectorWorld> => ({
    ...{ config, trustDomain },
    brokerCa: await authorities.current(),
    acceptsCa: authorities.accepts,
  });

  /** Empty where nothing stands against it. @throws SignetError while it cannot be known */
  const refusals = async (
    verdict: Verdict,
    pod: Pod,
    raw: unknown,
    namespace: string,
    source: string,
  ): Promise<readonly string[]> => {
    if (verdict.kind === 'fine') return [];
    if (verdict.kind === 'refused') return verdict.defects;
    const { needs, identity } = verdict;
    const entries: Iterable<Entry> =
      identity === null ? [] : (await deps.registrations.current()).entries.values();
    return unmet(verdict, {
      namespace,
      entries,
      allowed: needs.length === 0 ? [] : await namespaces.allowed(namespace, source),
      selectors: podSelectors(deps.api.cluster, placed(raw, pod, namespace), deps.annotations),
    });
  };

  const mutate = async (
    { operation, aboutPod, object, namespace }: Request,
    source: string,
  ): Promise<Answer> => {
    if (!aboutPod || operation !== 'CREATE') return FINE;
    const pod = readPod(object);
    if (pod.annotations['signet/inject'] === undefined) return FINE;
    const injection = inject(pod, namespace, await world());
    if (injection.kind === 'refused') return refusal(injection.defects);
    if (injection.kind === 'none') return { allowed: true, warnings: injection.warnings };
    // told here too, where it is plain what was asked: the restricted profile would speak of capabilities
    const { needs } = injection;
    const against = await refusals(
      { kind: 'depends', needs, identity: null },
      pod,
      object,
      namespace,
      source,
    );
    if (against.length > 0) return refusal(against);
    return injection.kind === 'whole'
      ? FINE
      : { allowed: true, patch: injection.patch, warnings: injection.warnings };
  };

  const validate = async (
    { operation, aboutPod, object, oldObject, namespace }: Request,
    source: string,
  ): Promise<Answer> => {
    if (!aboutPod || (operation !== 'CREATE' && operation !== 'UPDATE')) return FINE;
    const pod = readPod(object);
    await learn(authorities, pod);
    const known = await world();
    const verdict =
      operation === 'CREATE'
        ? judgeNew(pod, namespace, known)
        : judgeChange(pod, readPod(oldObject), namespace, known);
    const against = await refusals(verdict, pod, object, namespace, source);
    return against.length > 0 ? refusal(against) : FINE;
  };

  // who asks for this is anybody: the log has the reason, and the metric how often
  const told = new Map<string, number>();
  const tell = (kind: string, code: string, reason: unknown) => {
    const at = deps.monotonic();
    if (at - (told.get(`${kind} ${code}`) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return;
    told.set(`${kind} ${code}`, at);
    log.warn('admission_unanswered', { kind, code, reason });
  };

  /** What cannot be known in time is not let in: by this answer, and not by what the API server makes of none. */
  const answered =
    (kind: string, work: (request: Request, source: string) => Promise<Answer>) =>
    async (request: Request, within: number, source = '') => {
      const answer = await inTime(work(request, source), within * SHARE).catch((error: unknown): Answer => {
        // no API server sends what is nested so deeply that it cannot be compared
        if (error instanceof RangeError) return refusal(['it cannot be read']);
        const code = error instanceof SignetError ? error.code : undefined;
        if (code === undefined) throw error;
        tell(kind, code, error);
        return {
          allowed: false,
          code: 503,
          message: `${REASONS[code] ?? 'what it takes to decide cannot be had now'} (${code})`,
        };
      });
      const outcome = answer.allowed
        ? (answer.patch?.length ?? 0) > 0
          ? 'patched'
          : 'allowed'
        : String(answer.code);
      answers.add(1, { kind, outcome });
      return answer;
    };

  return {
    mutate: answered('mutate', mutate),
    validate: answered('validate', validate),
    run: (signal) => keepCaBundle(deps, signal),
  };
}

const REASONS: Readonly<Record<string, string>> = {
  ADMISSION_LATE: 'the broker could not decide in time',
  K8S_DENIED: 'the broker may not read namespaces',
};

class AdmissionError extends SignetError<'ADMISSION_LATE'> {
  override readonly name = 'AdmissionError';
}

async function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new AdmissionError('ADMISSION_LATE', 'no decision in time')), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** An authority in the pod that this broker has not seen may be one that another has just learned of. */
async function learn(authorities: Authorities, { annotations }: Pod): Promise<void> {
  const pem = annotations[BROKER_CA];
  if (pem !== undefined) await authorities.consider(pem);
}

/** The pod as it will be known: its namespace, and the service account that it gets where it names none. */
function placed(raw: unknown, { spec }: Pod, namespace: string): object {
  const { metadata } = recordOf(raw);
  const serviceAccountName = spec['serviceAccountName'] || 'default';
  return {
    metadata: { ...recordOf(metadata), namespace },
    spec: { serviceAccountName, containers: [] },
  };
}

function refusal(defects: readonly string[]): Answer {
  return { allowed: false, code: 403, message: defects.slice(0, 16).join('; ') };
}
