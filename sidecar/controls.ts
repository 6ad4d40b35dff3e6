import type { Jwks } from '../lib/assertion/index.ts';

/** How it went; the other fields are for who asked. */
export type Outcome = { readonly ok: boolean };

/** What may be asked of a running sidecar: by its admin listener, or by the supervisor that it works for. */
export type Controls = {
  /** What is still missing before requests can be served; empty when ready. */
  readonly missing: () => readonly string[];
  /** Nothing secret. */
  readonly status: () => object | Promise<object>;
  /** Prometheus text. */
  readonly metrics: () => string | Promise<string>;
  /** The keys with which the app verifies what it is told (RFC 7517). */
  readonly jwks: () => Jwks | Promise<Jwks>;
  readonly rotate: () => Promise<Outcome>;
};
