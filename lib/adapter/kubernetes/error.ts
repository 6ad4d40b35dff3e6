import { SignetError } from '../../errors.ts';
import { Secret } from '../../secret.ts';

/**
 * - `K8S_UNAVAILABLE` no answer, a broken or oversized one, a redirect, 429 or 5xx, or credentials that cannot be read: try later.
 * - `K8S_TIMEOUT` no whole answer in time. The call may have taken effect.
 * - `K8S_DENIED` 401 or 403: our own credential is not accepted, or may not do this.
 * - `K8S_NOT_FOUND` 404.
 * - `K8S_CONFLICT` 409: it exists, or somebody else wrote first.
 * - `K8S_GONE` 410: the version asked for is no longer kept; list again.
 * - `K8S_REFUSED` 400, 422 and the like: the server will answer the same next time.
 */
export type KubernetesErrorCode =
  | 'K8S_UNAVAILABLE'
  | 'K8S_TIMEOUT'
  | 'K8S_DENIED'
  | 'K8S_NOT_FOUND'
  | 'K8S_CONFLICT'
  | 'K8S_GONE'
  | 'K8S_REFUSED';

type Details = ErrorOptions & { readonly status?: number; readonly says?: string };

/**
 * A call that an API server refused or never answered. The message is the cluster, the method, the path and the kind of failure: the
 * server's own words may quote what was sent, so they are kept apart in `says`, for whoever typed the command.
 */
export class KubernetesError extends SignetError<KubernetesErrorCode> {
  override readonly name = 'KubernetesError';
  readonly status: number | undefined;
  readonly says: Secret;
  constructor(code: KubernetesErrorCode, message: string, details: Details = {}) {
    super(code, message, details);
    this.status = details.status;
    this.says = new Secret(details.says ?? '');
  }
}

/** An answer of more bytes than are read. */
export class OversizeError extends KubernetesError {
  constructor(what: string, most: number) {
    super('K8S_UNAVAILABLE', `${what}: an answer of over ${most / 2 ** 20} MiB`);
  }
}

/** The error that an HTTP answer other than 2xx stands for. `what` is cluster, method and path. */
export function refusal(what: string, status: number, body: unknown): KubernetesError {
  const code = codeOf(status);
  return new KubernetesError(code, `${what}: ${MEANING[code]} (HTTP ${status})`, {
    status,
    says: wordsOf(body),
  });
}

const MEANING: Readonly<Record<KubernetesErrorCode, string>> = {
  K8S_UNAVAILABLE: 'the API server cannot answer now',
  K8S_TIMEOUT: 'the API server did not answer in time',
  K8S_DENIED: 'the API server denies it to our credential',
  K8S_NOT_FOUND: 'there is nothing there',
  K8S_CONFLICT: 'it is there already, or another writer came first',
  K8S_GONE: 'this version is no longer kept',
  K8S_REFUSED: 'the API server refuses the request',
};

function codeOf(status: number): KubernetesErrorCode {
  if (status === 401 || status === 403) return 'K8S_DENIED';
  if (status === 404) return 'K8S_NOT_FOUND';
  if (status === 409) return 'K8S_CONFLICT';
  if (status === 410) return 'K8S_GONE';
  if (status === 429 || status >= 500 || status < 400) return 'K8S_UNAVAILABLE';
  return 'K8S_REFUSED';
}

/** The message of a Kubernetes `Status`. */
function wordsOf(body: unknown): string {
  const { message } = (body ?? {}) as { message?: unknown };
  return typeof message === 'string' ? message.slice(0, 2_000) : '';
}
