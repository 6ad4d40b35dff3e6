import { type ClusterReport, type Finding, finding, named } from './finding.ts';
import { ANNOTATION, isOptedIn, OPT_IN } from './names.ts';
import type { Namespace } from './objects.ts';
import { type Snapshot, seenOf } from './snapshot.ts';

const ENFORCE = 'pod-security.kubernetes.io/enforce';

/** Which namespaces opted in, and what Pod Security lets their pods do. */
export function namespaceReport(snapshot: Snapshot): ClusterReport {
  const list = seenOf(snapshot.namespaces);
  if (list === undefined) return { findings: [], warnings: [] };
  const opted = list.filter(isOptedIn);
  const findings = opted
    .map(nameOf)
    .filter((name) => name === snapshot.namespace || name === 'kube-system')
    .map((name) =>
      finding(
        'namespace.aside',
        `Namespace ${name} is labelled ${OPT_IN.label}=${OPT_IN.value}`,
        'nothing is injected there, whatever its pods ask for',
        `kubectl label namespace ${name} ${OPT_IN.label}-`,
      ),
    );
  if (opted.length === 0) {
    const none = finding(
      'namespace.none',
      `no Namespace is labelled ${OPT_IN.label}=${OPT_IN.value}`,
      'no pod gets a sidecar',
      `kubectl label namespace NAME ${OPT_IN.label}=${OPT_IN.value}`,
    );
    return { findings, warnings: [none] };
  }
  return {
    findings: [...findings, ...opted.flatMap((each) => redirectFindings(each, snapshot))],
    warnings: opted.filter((each) => levelOf(each) === 'privileged').map(openWarning),
  };
}

/** Redirecting takes NET_ADMIN, which the stricter levels refuse. */
function redirectFindings(namespace: Namespace, { spaces }: Snapshot): Finding[] {
  const [name, level] = [nameOf(namespace), levelOf(namespace)];
  if (level === 'privileged') return [];
  const wanting = (seenOf(spaces[name]?.deployments) ?? [])
    .filter(({ spec }) => spec?.template?.metadata?.annotations?.[ANNOTATION.redirect] === 'true')
    .map(({ metadata }) => metadata?.name ?? '');
  if (wanting.length === 0) return [];
  return [
    finding(
      'namespace.redirect',
      `Namespace ${name} has ${ENFORCE} ${level}, and its Deployments ${named(wanting)} ask for ${ANNOTATION.redirect}`,
      'their pods need NET_ADMIN and are not admitted',
      'use signet/proxy-env in place of signet/redirect; or enforce privileged there, and allow it: signet/allow redirect',
    ),
  ];
}

function openWarning(namespace: Namespace): Finding {
  const name = nameOf(namespace);
  return finding(
    'namespace.level',
    `Namespace ${name} has ${ENFORCE} ${namespace.metadata?.labels?.[ENFORCE] ?? 'not set'}`,
    'a pod there may take the node: then all tokens of pods on that node are its own',
    `kubectl label namespace ${name} ${ENFORCE}=restricted, unless its pods need more`,
  );
}

/** Without the label, what the API server is configured with, which nobody can see: by default everything. */
function levelOf({ metadata }: Namespace): string {
  return metadata?.labels?.[ENFORCE] ?? 'privileged';
}

function nameOf({ metadata }: Namespace): string {
  return metadata?.name ?? '';
}
