/** What a supervisor asks of a worker. */
export type Question = 'metrics' | 'status' | 'jwks' | 'rotate';
/** What it tells one: renew now; drain and end; or the same with more time, since another serves in its place. */
export type Order = 'reload' | 'stop' | 'replaced';

/** Between a supervisor and a worker, as JSON. Nothing secret is in any of it: what `status`, `metrics` and `jwks` show is for every operator. */
export type ToWorker = { readonly order: Order } | { readonly id: number; readonly ask: Question };
export type FromWorker =
  | { readonly missing: readonly string[] }
  /** Without a value the question failed. */
  | { readonly id: number; readonly value?: unknown };

/** Null when it is none: a worker speaks with strangers, and is believed no more than it has to be. */
export function readFromWorker(message: unknown): FromWorker | null {
  if (typeof message !== 'object' || message === null) return null;
  const { id, missing, value } = message as Readonly<Record<string, unknown>>;
  if (typeof id === 'number') return { id, value };
  const words = Array.isArray(missing) && missing.every((word) => typeof word === 'string');
  return words ? { missing: missing.slice(0, MOST_WORDS) as string[] } : null;
}

const MOST_WORDS = 32;
