import type { Admission } from '../admission/index.ts';
import type { Intake } from '../admission/intake.ts';
import { readReview, reviewOf } from '../admission/review.ts';
import { Problem } from '../problem.ts';
import type { Route } from './route.ts';

export type AdmissionRouteDeps = { readonly admission: Admission; readonly intake: Intake };

/** An API server sends whole pods, twice on a change; each is at most 1.5 MiB. */
const MOST_BYTES = 3 * 1024 * 1024;
/** Where the API server does not say how long it waits: what it does by default. */
const PATIENCE_SECONDS = 10;
const MOST_PATIENCE_SECONDS = 30;

/**
 * The webhooks of a cluster. An API server shows no certificate, so anybody may ask; what they learn is what would become of the very pod
 * that they have sent.
 */
export function admissionRoutes({ admission, intake }: AdmissionRouteDeps): Route[] {
  const route = (word: 'mutate' | 'validate', summary: string): Route => ({
    method: 'post',
    path: `/admission/${word}`,
    id: `${word}Pod`,
    summary,
    query: { timeout: 'how long the API server waits, such as `10s`' },
    body: { schema: 'AdmissionReview', required: true },
    rate: intake.perSource,
    large: { bytes: MOST_BYTES, hold: (connection, bytes) => intake.hold(connection, bytes) },
    answers: { 200: 'AdmissionAnswer' },
    problems: ['malformed', 'rate_limited', 'overloaded', 'vault_unavailable'],
    async handle({ body, query, connection }) {
      const request = readReview(body);
      const answer = await admission[word](request, patienceOf(query['timeout']), connection.source);
      return { status: 200, body: reviewOf(request, answer) };
    },
  });
  return [
    route('mutate', 'Gives a pod that asks for it a sidecar; asked by the API server of Kubernetes'),
    route('validate', 'Whether a pod may be as it is; asked by the API server of Kubernetes'),
  ];
}

/** In milliseconds. */
function patienceOf(text: string | undefined): number {
  if (text === undefined) return PATIENCE_SECONDS * 1_000;
  const [, seconds] = /^(\d{1,3}(?:\.\d{1,9})?)s$/.exec(text) ?? [];
  if (seconds === undefined || Number(seconds) === 0) throw new Problem('malformed');
  return Math.min(Number(seconds), MOST_PATIENCE_SECONDS) * 1_000;
}
