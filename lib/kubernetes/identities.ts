import { type ClusterReport, type Finding, finding, named } from './finding.ts';
import { ANNOTATION } from './names.ts';
import type { Pod, Service } from './objects.ts';
import { sidecarOf } from './pods.ts';
import { type Snapshot, type Space, seenOf } from './snapshot.ts';

/** A service account is an identity: who shares one, and which could be shown without being that pod. */
export function identityReport({ spaces, namespace: own }: Snapshot): ClusterReport {
  const findings: Finding[] = [];
  const warnings: Finding[] = [];
  for (const [name, space] of Object.entries(spaces)) {
    findings.push(...secretFindings(name, space));
    if (name === own) continue;
    findings.push(...defaultFindings(name, space), ...serviceFindings(name, space));
    warnings.push(...sharedWarnings(name, space));
  }
  return { findings, warnings };
}

function secretFindings(namespace: string, { tokenSecrets }: Space): Finding[] {
  return (seenOf(tokenSecrets) ?? []).map(({ metadata }) =>
    finding(
      'identity.token-secret',
      `Secret ${namespace}/${metadata?.name} holds a token of ServiceAccount ${metadata?.annotations?.['kubernetes.io/service-account.name']}`,
      'it never ends, belongs to no pod, and opens the API server to whoever reads it',
      'delete it; who needs a token asks for one: kubectl create token, or a projected volume',
    ),
  );
}

function injected({ pods }: Space): Pod[] {
  return (seenOf(pods) ?? []).filter((pod) => sidecarOf(pod) !== undefined);
}

function accountOf({ spec }: Pod): string {
  return spec?.serviceAccountName ?? 'default';
}

function defaultFindings(namespace: string, space: Space): Finding[] {
  const pods = injected(space).filter((pod) => accountOf(pod) === 'default');
  if (pods.length === 0) return [];
  return [
    finding(
      'identity.default-account',
      `ServiceAccount ${namespace}/default runs the injected pods ${namesOf(pods)}`,
      'every pod of the namespace that names no account of its own shares their identity',
      'give each app a ServiceAccount: spec.serviceAccountName',
    ),
  ];
}

function sharedWarnings(namespace: string, { deployments }: Space): Finding[] {
  const asking = (seenOf(deployments) ?? []).filter(
    ({ spec }) => spec?.template?.metadata?.annotations?.[ANNOTATION.inject] === 'true',
  );
  const byAccount = Map.groupBy(asking, ({ spec }) => spec?.template?.spec?.serviceAccountName ?? 'default');
  return [...byAccount]
    .filter(([, sharing]) => sharing.length > 1)
    .map(([account, sharing]) =>
      finding(
        'identity.shared-account',
        `ServiceAccount ${namespace}/${account} runs the Deployments ${named(sharing.map(({ metadata }) => metadata?.name ?? ''))}`,
        'no policy tells them apart, and each may answer for the other',
        'give each app a ServiceAccount, unless this is meant',
      ),
    );
}

/** Whose pods are behind a Service decides who may answer for its name. */
function serviceFindings(namespace: string, space: Space): Finding[] {
  const pods = injected(space);
  return (seenOf(space.services) ?? []).flatMap((service) => {
    const accounts = new Set(pods.filter((pod) => isBehind(service, pod)).map(accountOf));
    const annotation = service.metadata?.annotations?.[ANNOTATION.accounts];
    if (annotation !== undefined)
      return strangerFindings(`${namespace}/${service.metadata?.name}`, accounts, annotation);
    if (accounts.size < 2) return [];
    return [
      finding(
        'identity.mixed-service',
        `Service ${namespace}/${service.metadata?.name} selects pods of the accounts ${named([...accounts])}, and has no annotation ${ANNOTATION.accounts}`,
        'whoever may create pods with its labels, under any account of the namespace, answers for it',
        `name the accounts that may answer: kubectl -n ${namespace} annotate service ${service.metadata?.name} ${ANNOTATION.accounts}=NAME,…`,
      ),
    ];
  });
}

function strangerFindings(service: string, accounts: ReadonlySet<string>, annotation: string): Finding[] {
  const may = annotation.split(/[\s,]+/).filter(Boolean);
  const strangers = [...accounts].filter((account) => !may.includes(account));
  if (strangers.length === 0) return [];
  return [
    finding(
      'identity.other-account',
      `Service ${service} selects pods of the accounts ${named(strangers)}, and its annotation ${ANNOTATION.accounts} names ${named(may) || 'nobody'}`,
      'no sidecar sends those pods a request of that name: calls fail that reach no other pod',
      `name the accounts that may answer in ${ANNOTATION.accounts}, or select none but their pods`,
    ),
  ];
}

function isBehind({ spec }: Service, { metadata }: Pod): boolean {
  const selector = Object.entries(spec?.selector ?? {});
  return selector.length > 0 && selector.every(([key, value]) => metadata?.labels?.[key] === value);
}

function namesOf(pods: readonly Pod[]): string {
  return named(pods.map(({ metadata }) => metadata?.name ?? ''));
}
