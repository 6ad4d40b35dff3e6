import { type ClusterReport, type Finding, finding, named } from './finding.ts';
import { BROKER, INJECTOR, isOptedIn, OPT_IN } from './names.ts';
import type { Namespace, Webhook, WebhookConfiguration } from './objects.ts';
import { selects } from './selector.ts';
import { type Look, type Snapshot, seenOf, type Trial } from './snapshot.ts';
import { answerFindings, type OurWebhook, trustFindings } from './webhook-answer.ts';

/** The two webhooks: there, trusted, failing closed, and asked about the namespaces that opted in and no other. */
export function webhookReport(snapshot: Snapshot, now: Date): ClusterReport {
  const report = { findings: [] as Finding[], warnings: [] as Finding[] };
  const sides = [
    { look: snapshot.mutating, kind: 'MutatingWebhookConfiguration', mutates: true },
    { look: snapshot.validating, kind: 'ValidatingWebhookConfiguration', mutates: false },
  ];
  for (const { look, kind, mutates } of sides) {
    const ours = ourWebhooks(look, snapshot.namespace, kind, mutates);
    if (ours?.length === 0) report.findings.push(missing(kind, mutates, snapshot.namespace));
    for (const each of ours ?? []) {
      report.findings.push(
        ...placeFindings(each, snapshot.namespace),
        ...trustFindings(each, now),
        ...answerFindings(each),
        ...scopeFindings(each, snapshot),
      );
      report.warnings.push(...webhookWarnings(each));
    }
  }
  const trial = seenOf(snapshot.trial);
  if (trial !== undefined) report.findings.push(...trialFindings(trial));
  return report;
}

/** By the Service that it leads to, whatever it is named; or by its name, wherever it leads. */
export function ownWebhooks(
  { metadata, webhooks = [] }: WebhookConfiguration,
  namespace: string,
): readonly Webhook[] {
  return metadata?.name === INJECTOR ? webhooks : webhooks.filter((each) => leadsToBroker(each, namespace));
}

function leadsToBroker({ clientConfig }: Webhook, namespace: string): boolean {
  const { name, namespace: where } = clientConfig?.service ?? {};
  return name === BROKER && where === namespace;
}

/** What the configurations are named, as far as there are any; else as the chart names them. */
export function brokerWebhooks({ mutating, validating, namespace }: Snapshot): string[] {
  const names = [mutating, validating]
    .flatMap((look) => seenOf(look) ?? [])
    .filter((each) => ownWebhooks(each, namespace).length > 0)
    .map(({ metadata }) => metadata?.name ?? '');
  return names.length === 0 ? [BROKER] : [...new Set(names)];
}

function ourWebhooks(
  look: Look<readonly WebhookConfiguration[]>,
  namespace: string,
  kind: string,
  mutates: boolean,
): OurWebhook[] | undefined {
  return seenOf(look)?.flatMap((each) =>
    ownWebhooks(each, namespace).map((webhook) => ({
      ...{ webhook, mutates },
      at: `${kind} ${each.metadata?.name}, webhook ${webhook.name}:`,
    })),
  );
}

function missing(kind: string, mutates: boolean, namespace: string): Finding {
  return finding(
    `webhook.${mutates ? 'mutating' : 'validating'}`,
    `no ${kind} leads to Service ${namespace}/${BROKER}`,
    mutates
      ? 'annotated pods start without a sidecar: their calls are neither proved nor judged'
      : 'a pod may ask by annotation for what its namespace may not have',
    'set injector.enabled of the chart',
  );
}

function placeFindings({ webhook, at, mutates }: OurWebhook, namespace: string): Finding[] {
  const { service, url } = webhook.clientConfig ?? {};
  const path = mutates ? '/admission/mutate' : '/admission/validate';
  if (leadsToBroker(webhook, namespace) && service?.path === path) return [];
  const where = url ?? `Service ${service?.namespace}/${service?.name}, path ${service?.path}`;
  return [
    finding(
      'webhook.elsewhere',
      `${at} clientConfig leads to ${where}, and not to Service ${namespace}/${BROKER}, path ${path}`,
      'whoever answers there writes pods as he likes, or lets them pass',
      'set it back: helm upgrade',
    ),
  ];
}

function scopeFindings({ webhook, at }: OurWebhook, { namespace, namespaces }: Snapshot): Finding[] {
  const findings: Finding[] = [];
  const { namespaceSelector } = webhook;
  // Even when somebody labels them.
  const reached = [namespace, 'kube-system'].filter((name) =>
    selects(namespaceSelector, {
      'kubernetes.io/metadata.name': name,
      [OPT_IN.label]: OPT_IN.value,
    }),
  );
  if (reached.length > 0) {
    findings.push(
      finding(
        'webhook.own-namespace',
        `${at} namespaceSelector takes in ${reached.join(' and ')} once that is labelled`,
        'brokers that are down would have to admit their own pods: the cluster cannot start again by itself',
        'exclude them by kubernetes.io/metadata.name NotIn: helm upgrade',
      ),
    );
  }
  const missed = (seenOf(namespaces) ?? [])
    .filter((each) => isOptedIn(each) && !isAside(each, namespace))
    .filter((each) => !selects(namespaceSelector, labelsOf(each)))
    .map(({ metadata }) => metadata?.name ?? '');
  if (missed.length > 0) {
    findings.push(
      finding(
        'webhook.missed-namespace',
        `${at} namespaceSelector leaves out ${named(missed)}, labelled ${OPT_IN.label}=${OPT_IN.value}`,
        'annotated pods there start without a sidecar',
        'take them out of injector.excludedNamespaces, or take the label off',
      ),
    );
  }
  return findings;
}

/** Always left alone: the label on them is told by itself. */
function isAside({ metadata }: Namespace, namespace: string): boolean {
  return metadata?.name === namespace || metadata?.name === 'kube-system';
}

function labelsOf({ metadata }: Namespace): Readonly<Record<string, string>> {
  return { 'kubernetes.io/metadata.name': metadata?.name ?? '', ...metadata?.labels };
}

function webhookWarnings({ webhook, at }: OurWebhook): Finding[] {
  const { matchLabels = {}, matchExpressions = [] } = webhook.objectSelector ?? {};
  if (Object.keys(matchLabels).length + matchExpressions.length === 0) return [];
  return [
    finding(
      'webhook.object-selector',
      `${at} objectSelector is ${JSON.stringify(webhook.objectSelector)}`,
      'whoever writes a pod decides by its labels whether brokers are asked',
      'leave injector.objectSelector empty, unless this is meant',
    ),
  ];
}

/** The API server itself called the webhook: what it says of the connection is the judgement that counts. */
function trialFindings({ namespace, outcome, says }: Trial): Finding[] {
  if (outcome === 'injected') return [];
  const at = `a pod with signet/inject "true" in namespace ${namespace}, as a dry run,`;
  if (outcome === 'not-injected') {
    return [
      finding(
        'webhook.not-injected',
        `${at} got no sidecar`,
        'pods start there without one: their calls are neither proved nor judged',
        'mend what else is told of the webhooks here',
      ),
    ];
  }
  const untrusted = /x509|certificate/i.test(says);
  return [
    finding(
      untrusted ? 'webhook.untrusted' : 'webhook.refused',
      `${at} was refused: ${says}`,
      untrusted
        ? 'caBundle is not the authority of what the Service presents: no annotated pod is admitted'
        : 'annotated pods are not admitted there',
      untrusted
        ? 'a broker writes caBundle: look whether one runs and what it logs'
        : 'the words above say who refused it; kubectl logs of the brokers says more',
    ),
  ];
}
