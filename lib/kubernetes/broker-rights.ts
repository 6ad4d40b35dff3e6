import { type Finding, finding, named } from './finding.ts';
import { BROKER } from './names.ts';
import type { PolicyRule, Subject } from './objects.ts';
import { excessOf, type Grant } from './rbac.ts';

/** The rules of the chart. `webhooks`: the names of the two configurations. */
function chartRules(webhooks: readonly string[]): PolicyRule[] {
  return [
    { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
    { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['services'], verbs: ['list', 'watch'] },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
    { apiGroups: [''], resources: ['namespaces'], verbs: ['get'] },
    {
      apiGroups: ['admissionregistration.k8s.io'],
      resources: ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
      resourceNames: webhooks,
      verbs: ['get', 'patch'],
    },
  ];
}

/** What Kubernetes gives to everybody who is known: to ask what oneself may do, and what there is. */
const DEFAULTS = [
  'system:basic-user',
  'system:discovery',
  'system:public-info-viewer',
  'system:service-account-issuer-discovery',
].map((name) => `ClusterRole ${name}`);

/** Of excess, the worst first. */
const WORST: readonly [RegExp, allows: string][] = [
  [/(^\*| \*)/, 'whoever takes a broker over takes the cluster'],
  [/^(impersonate|escalate|bind) /, 'whoever takes a broker over takes the rights of others'],
  [/serviceaccounts\/token/, 'whoever takes a broker over makes the token of any pod'],
  [/ secrets$/, 'whoever takes a broker over reads secrets'],
  [/^create (pods|\w+\.(apps|batch))/, 'whoever takes a broker over runs pods under any account'],
];

/** More than the chart's rules, by whatever binding. */
export function brokerRights(
  grants: readonly Grant[],
  namespace: string,
  webhooks: readonly string[],
): Finding[] {
  const allowed = chartRules(webhooks);
  const own = grants.filter(
    ({ subject, role }) => holdsForBroker(subject, namespace) && !DEFAULTS.includes(role),
  );
  const byBinding = Map.groupBy(own, ({ binding, role }) => `${binding}, by ${role},`);
  return [...byBinding].flatMap(([how, some]) => {
    const excess = [...new Set(some.flatMap(({ rule }) => excessOf(rule, allowed)))];
    if (excess.length === 0) return [];
    const [, allows = 'whoever takes a broker over may do that too'] =
      WORST.find(([pattern]) => excess.some((each) => pattern.test(each))) ?? [];
    return finding(
      'rights.broker',
      `${how} gives ServiceAccount ${namespace}/${BROKER} more than brokers use: ${named(excess)}`,
      allows,
      'take it away: the rules of the chart are enough (kubernetes/manifests/signet.yaml)',
    );
  });
}

/** As itself, or as one of those that every service account belongs to. */
function holdsForBroker({ kind, name, namespace }: Subject, where: string): boolean {
  if (kind === 'ServiceAccount') return name === BROKER && namespace === where;
  if (kind === 'User') return name === `system:serviceaccount:${where}:${BROKER}`;
  const groups = ['system:authenticated', 'system:serviceaccounts', `system:serviceaccounts:${where}`];
  return groups.includes(name ?? '');
}
