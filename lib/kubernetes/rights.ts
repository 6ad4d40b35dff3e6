import { brokerRights } from './broker-rights.ts';
import { type ClusterReport, type Finding, finding, named } from './finding.ts';
import { BROKER } from './names.ts';
import type { Subject } from './objects.ts';
import {
  type Ask,
  bindingsOf,
  describeBinding,
  describeSubject,
  type Grant,
  gives,
  givesEverything,
  grantsOf,
} from './rbac.ts';
import type { Snapshot } from './snapshot.ts';
import { brokerWebhooks } from './webhooks.ts';

/** Who may do, beside the broker, what identities rest on. */
export function rightsReport(snapshot: Snapshot): ClusterReport {
  const { namespace, rbac } = snapshot;
  const webhooks = brokerWebhooks(snapshot);
  const all = grantsOf(rbac);
  const findings = [
    ...brokerRights(all, namespace, webhooks),
    ...strangersAsBroker(snapshot),
    ...anonymous(snapshot),
  ];
  const warnings: Finding[] = [];
  const others = all.filter(({ subject }) => !isOfTheCluster(subject) && !isBroker(subject, namespace));
  const admins = new Set(
    others
      .filter((grant) => grant.namespace === undefined && givesEverything(grant.rule))
      .map(({ subject }) => describeSubject(subject)),
  );
  if (admins.size > 0) {
    warnings.push(
      finding(
        'rights.everything',
        `may do everything: ${named([...admins])}`,
        'they may take any identity',
        'leave it to those who run the cluster',
      ),
    );
  }
  const rest = others.filter(({ subject }) => !admins.has(describeSubject(subject)));
  for (const question of questions(namespace, webhooks)) {
    const holders = rest.filter(
      (grant) => answers(grant, question) && !(question.ours && isBesideBroker(grant.subject, namespace)),
    );
    const crowd = holders.filter(({ subject }) => isEverybody(subject));
    const few = holders.filter((holder) => !crowd.includes(holder));
    if (crowd.length > 0) findings.push(holding(question, crowd));
    if (few.length > 0) warnings.push(holding(question, few));
  }
  return { findings, warnings };
}

type Question = {
  readonly id: string;
  readonly what: string;
  readonly asks: readonly Ask[];
  /** Only there; without it, anywhere. */
  readonly within?: string;
  /** Objects that no namespace has: a RoleBinding gives nothing of them. */
  readonly ofCluster?: boolean;
  /** Service accounts of the brokers' namespace are meant to. */
  readonly ours?: boolean;
  readonly allows: string;
  readonly fix: string;
};

const WORKLOADS = ['deployments', 'statefulsets', 'daemonsets', 'replicasets'];

function questions(namespace: string, webhooks: readonly string[]): Question[] {
  const fix = 'take it from whoever does not need it';
  const write = ['create', 'update', 'patch'];
  const webhookKinds = ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'];
  return [
    {
      id: 'rights.tokens',
      what: 'create tokens of service accounts (serviceaccounts/token)',
      asks: [{ verbs: ['create'], group: '', resources: ['serviceaccounts/token'] }],
      allows: 'with a token bound to a pod they get the identity of that pod',
      fix,
    },
    {
      id: 'rights.webhooks',
      what: `change the webhook configurations ${webhooks.join(', ')}`,
      ofCluster: true,
      asks: webhooks.map((name) => ({
        ...{ verbs: ['update', 'patch', 'delete'], group: 'admissionregistration.k8s.io', name },
        resources: webhookKinds,
      })),
      allows: 'they turn injection off, or have pods written by a webhook of their own',
      fix,
    },
    {
      id: 'rights.pods',
      what: `run something in pods of Namespace ${namespace}`,
      within: namespace,
      asks: [
        {
          verbs: ['create'],
          group: '',
          resources: ['pods', 'pods/exec', 'pods/attach', 'replicationcontrollers'],
        },
        { verbs: ['update', 'patch'], group: '', resources: ['pods/ephemeralcontainers'] },
        { verbs: write, group: 'apps', resources: WORKLOADS },
        { verbs: write, group: 'batch', resources: ['jobs', 'cronjobs'] },
      ],
      allows:
        'a pod there runs as the broker: it logs in to Vault and gives out any identity that is registered',
      fix,
    },
    {
      id: 'rights.secrets',
      what: `read Secrets of Namespace ${namespace}`,
      within: namespace,
      asks: [{ verbs: ['get', 'list', 'watch'], group: '', resources: ['secrets'] }],
      allows:
        "where brokers log in by AppRole, their secret_id is there, and with it the broker's rights in Vault",
      fix,
    },
    {
      id: 'rights.impersonate',
      what: 'act as somebody else (impersonate)',
      asks: [{ verbs: ['impersonate'], group: '', resources: ['users', 'groups', 'serviceaccounts'] }],
      allows: 'they have the rights of whom they name',
      fix,
    },
    {
      id: 'rights.escalate',
      what: 'give rights that they lack (escalate, bind)',
      asks: [
        {
          ...{ verbs: ['escalate', 'bind'], group: 'rbac.authorization.k8s.io' },
          resources: ['roles', 'clusterroles'],
        },
      ],
      allows: 'they give themselves all of the above',
      fix,
    },
    {
      id: 'rights.token-reviews',
      what: 'ask whose a token is (tokenreviews)',
      ofCluster: true,
      // a Vault outside of the cluster asks in the name of one
      ours: true,
      asks: [{ verbs: ['create'], group: 'authentication.k8s.io', resources: ['tokenreviews'] }],
      allows: 'they find out what a token that they came by is worth',
      fix,
    },
  ];
}

function answers({ namespace, rule }: Grant, { asks, within, ofCluster }: Question): boolean {
  if (ofCluster && namespace !== undefined) return false;
  if (within !== undefined && namespace !== undefined && namespace !== within) return false;
  return asks.some((ask) => gives(rule, ask));
}

function holding({ id, what, allows, fix }: Question, grants: readonly Grant[]): Finding {
  const holders = grants.map(({ subject, namespace, binding }) => {
    const where = namespace === undefined ? '' : ` in ${namespace}`;
    return `${describeSubject(subject)}${where} (${binding})`;
  });
  return finding(id, `may ${what}: ${named([...new Set(holders)])}`, allows, fix);
}

/** Subjects that the broker's ClusterRole is bound to, and that are not the broker. */
function strangersAsBroker({ rbac, namespace }: Snapshot): Finding[] {
  return bindingsOf(rbac)
    .filter(({ roleRef }) => roleRef?.kind === 'ClusterRole' && roleRef.name === BROKER)
    .flatMap((binding) => {
      const strangers = (binding.subjects ?? []).filter((each) => !isBroker(each, namespace));
      if (strangers.length === 0) return [];
      return finding(
        'rights.shared-role',
        `${describeBinding(binding)} binds ClusterRole ${BROKER} to ${named(strangers.map(describeSubject))}`,
        'they may change the webhooks, see every pod, and ask whose a token is',
        'take these subjects out of the binding',
      );
    });
}

/** What anybody may read: versions and health, and the cluster's authorities for those who want to join. */
const OPEN_ROLES = ['ClusterRole system:public-info-viewer', 'Role kubeadm:bootstrap-signer-clusterinfo'];

function anonymous({ rbac }: Snapshot): Finding[] {
  return bindingsOf(rbac)
    .filter(({ subjects }) => (subjects ?? []).some(isAnonymous))
    .filter(({ roleRef }) => !OPEN_ROLES.includes(`${roleRef?.kind} ${roleRef?.name}`))
    .map((binding) =>
      finding(
        'rights.anonymous',
        `${describeBinding(binding)} gives ${binding.roleRef?.kind} ${binding.roleRef?.name} to whoever does not say who he is`,
        'anybody who reaches the API server may do what it says',
        'take system:anonymous and system:unauthenticated out of the binding',
      ),
    );
}

function isAnonymous({ name }: Subject): boolean {
  return name === 'system:anonymous' || name === 'system:unauthenticated';
}

function isEverybody(subject: Subject): boolean {
  return isAnonymous(subject) || /^system:(authenticated|serviceaccounts)$/.test(subject.name ?? '');
}

/** The cluster's own parts. Whoever may write in kube-system owns the cluster anyway. */
function isOfTheCluster({ kind, name = '', namespace }: Subject): boolean {
  if (kind === 'ServiceAccount') return namespace === 'kube-system';
  if (kind === 'User') return ['system:kube-controller-manager', 'system:kube-scheduler'].includes(name);
  return ['system:masters', 'system:nodes', 'system:serviceaccounts:kube-system'].includes(name);
}

function isBesideBroker({ kind, namespace }: Subject, where: string): boolean {
  return kind === 'ServiceAccount' && namespace === where;
}

function isBroker({ kind, name, namespace }: Subject, where: string): boolean {
  return kind === 'ServiceAccount' && name === BROKER && namespace === where;
}
