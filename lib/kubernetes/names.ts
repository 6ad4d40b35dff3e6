import type { Namespace } from './objects.ts';

/** What the chart calls the Deployment, its Service, its account and the roles of it. */
export const BROKER = 'signet-broker';
/** What it calls the configurations of the webhooks. */
export const INJECTOR = 'signet-injector';
export const SIDECAR = 'signet-sidecar';
/** Whom the tokens of pods are for. */
export const AUDIENCE = 'signet';

export const OPT_IN = { label: 'signet/inject', value: 'enabled' } as const;

export const ANNOTATION = {
  inject: 'signet/inject',
  redirect: 'signet/redirect',
  accounts: 'signet/service-accounts',
} as const;

export function isOptedIn(namespace: Namespace): boolean {
  return namespace.metadata?.labels?.[OPT_IN.label] === OPT_IN.value;
}
