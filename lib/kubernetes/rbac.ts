import type { PolicyRule, Role, RoleBinding, Subject } from './objects.ts';
import { type Rbac, seenOf } from './snapshot.ts';

/** One rule that one subject has, by one binding. */
export type Grant = {
  readonly subject: Subject;
  readonly rule: PolicyRule;
  /** `ClusterRoleBinding signet-broker` */
  readonly binding: string;
  readonly role: string;
  /** Undefined: in all of them, and for what has none. */
  readonly namespace: string | undefined;
};

/** `name`: of this one object; without it, of any. */
export type Ask = {
  readonly verbs: readonly string[];
  readonly group: string;
  readonly resources: readonly string[];
  readonly name?: string;
};

/** Every rule of everybody. What could not be looked at is told elsewhere. */
export function grantsOf(rbac: Rbac): Grant[] {
  const clusterRoles = byName(seenOf(rbac.clusterRoles));
  const roles = byName(seenOf(rbac.roles));
  return bindingsOf(rbac).flatMap(({ metadata, roleRef, subjects }) => {
    const namespace = metadata?.namespace;
    const ofCluster = roleRef?.kind === 'ClusterRole';
    const name = roleRef?.name ?? '';
    const role = ofCluster ? clusterRoles.get(name) : roles.get(`${namespace}/${name}`);
    const common = {
      namespace,
      binding: describeBinding({ metadata: metadata ?? {} }),
      role: `${roleRef?.kind} ${name}`,
    };
    return (subjects ?? []).flatMap((subject) =>
      (role?.rules ?? []).map((rule) => ({ ...common, subject, rule })),
    );
  });
}

export function bindingsOf(rbac: Rbac): RoleBinding[] {
  return [...(seenOf(rbac.clusterRoleBindings) ?? []), ...(seenOf(rbac.roleBindings) ?? [])];
}

export function describeBinding({ metadata }: RoleBinding): string {
  const { name, namespace } = metadata ?? {};
  return namespace === undefined ? `ClusterRoleBinding ${name}` : `RoleBinding ${namespace}/${name}`;
}

export function describeSubject({ kind, name, namespace }: Subject): string {
  return namespace === undefined ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

/** Whether the rule gives any of what is asked. A rule for named objects gives it of these alone. */
export function gives({ verbs, apiGroups, resources, resourceNames = [] }: PolicyRule, ask: Ask): boolean {
  return (
    ask.verbs.some((verb) => has(verbs, verb)) &&
    has(apiGroups, ask.group) &&
    ask.resources.some((resource) => has(resources, resource) || has(resources, subresources(resource))) &&
    (ask.name === undefined || resourceNames.length === 0 || resourceNames.includes(ask.name))
  );
}

export function givesEverything({ verbs, apiGroups, resources, resourceNames = [] }: PolicyRule): boolean {
  return [verbs, apiGroups, resources].every((list) => list?.includes('*')) && resourceNames.length === 0;
}

/** What of `rule` none of `allowed` gives, as `verb resource`. */
export function excessOf(rule: PolicyRule, allowed: readonly PolicyRule[]): string[] {
  const excess: string[] = [];
  for (const group of rule.apiGroups ?? [])
    for (const resource of rule.resources ?? [])
      for (const verb of rule.verbs ?? []) {
        const names = rule.resourceNames ?? [];
        const ask = { verbs: [verb], group, resources: [resource] };
        const covered = allowed.some((each) => {
          const open = (each.resourceNames ?? []).length === 0;
          return gives(each, ask) && (open || isWithin(names, each.resourceNames ?? []));
        });
        if (!covered) excess.push(`${verb} ${resource}${group === '' ? '' : `.${group}`}`);
      }
  return excess;
}

function isWithin(names: readonly string[], allowed: readonly string[]): boolean {
  return names.length > 0 && names.every((name) => allowed.includes(name));
}

function has(list: readonly string[] | undefined, word: string): boolean {
  return list !== undefined && (list.includes(word) || list.includes('*'));
}

/** With a star before the slash a rule gives it of every resource. */
function subresources(resource: string): string {
  const at = resource.indexOf('/');
  return at < 0 ? resource : `*${resource.slice(at)}`;
}

function byName(roles: readonly Role[] = []): Map<string, Role> {
  return new Map(
    roles.map((role) => {
      const { name = '', namespace } = role.metadata ?? {};
      return [namespace === undefined ? name : `${namespace}/${name}`, role];
    }),
  );
}
