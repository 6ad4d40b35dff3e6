import { type BundleSource, bundleDocument } from '../bundle-source.ts';
import type { Health } from '../health.ts';
import type { Route } from './route.ts';

export type PublicRouteDeps = {
  readonly bundles: BundleSource;
  readonly health: Health;
  /** The OpenAPI document, made of all routes, this one included. */
  readonly document: () => object;
};

/** What anyone may ask. */
export function publicRoutes({ bundles, health, document }: PublicRouteDeps): Route[] {
  return [
    {
      method: 'get',
      path: '/v1/bundle',
      id: 'bundle',
      summary: "The trust domain's authorities, as a SPIFFE bundle",
      answers: { 200: 'Bundle' },
      problems: ['rate_limited', 'vault_unavailable'],
      handle: async () => ({
        status: 200,
        body: bundleDocument(bundles.current ?? (await bundles.refresh())),
      }),
    },
    {
      method: 'get',
      path: '/openapi.json',
      id: 'openapi',
      summary: 'This document',
      answers: { 200: 'Document' },
      problems: ['rate_limited'],
      handle: () => ({ status: 200, body: document() }),
    },
    {
      method: 'get',
      path: '/healthz',
      id: 'healthz',
      summary: 'Whether the process runs',
      answers: { 200: 'Health' },
      problems: ['rate_limited'],
      handle: () => ({ status: 200, body: { status: 'ok', waiting_for: [] } }),
    },
    {
      method: 'get',
      path: '/readyz',
      id: 'readyz',
      summary: 'Whether it can give grants now, and if not, what it waits for',
      answers: { 200: 'Health', 503: 'Health' },
      problems: ['rate_limited'],
      handle: () => readiness(health),
    },
  ];
}

export function readiness(health: Health): { readonly status: number; readonly body: object } {
  const waiting = health.waitingFor();
  return {
    status: waiting.length === 0 ? 200 : 503,
    body: { status: waiting.length === 0 ? 'ok' : 'unavailable', waiting_for: waiting },
  };
}
