import type { AuditEvent } from '../../harness/kubernetes/audit.ts';

/** A ClusterRole's rule, as far as the chart has such. */
export type Rule = {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
};

/** A right as a text: `get pods`, `create tokenreviews.authentication.k8s.io`, `patch x.admissionregistration.k8s.io signet-injector`. */
export function rightsOf(rules: readonly Rule[]): string[] {
  return rules
    .flatMap(({ apiGroups, resources, verbs, resourceNames = [''] }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          verbs.flatMap((verb) => resourceNames.map((name) => textOf(verb, resource, group, name))),
        ),
      ),
    )
    .sort();
}

/** The rights that somebody used, each once; those bound to a name by name. */
export function rightsUsed(lines: readonly AuditEvent[], granted: readonly string[]): string[] {
  return [...new Set(lines.map((line) => rightUsed(line, granted)))].sort();
}

function rightUsed(event: AuditEvent, granted: readonly string[]): string {
  const { verb, resource, subresource, group, name = '', uri } = event;
  if (resource === '') return `${verb} ${uri.split('?')[0]}`;
  const whole = subresource === undefined ? resource : `${resource}/${subresource}`;
  const named = textOf(verb, whole, group, name);
  return granted.includes(named) ? named : textOf(verb, whole, group, '');
}

function textOf(verb: string, resource: string, group: string, name: string): string {
  return `${verb} ${resource}${group === '' ? '' : `.${group}`}${name === '' ? '' : ` ${name}`}`;
}
