import { type ClusterReport, type Finding, finding, named } from './finding.ts';
import { ANNOTATION, OPT_IN, SIDECAR } from './names.ts';
import type { Container, ContainerStatus, Namespace, Pod } from './objects.ts';
import { type Snapshot, seenOf } from './snapshot.ts';
import { ownWebhooks } from './webhooks.ts';

/** The pods of namespaces that opted in: who runs without a sidecar, with an old one, or waits for it. */
export function podReport(snapshot: Snapshot): ClusterReport {
  const findings: Finding[] = [];
  const warnings: Finding[] = [];
  const image = sidecarImage(snapshot);
  for (const [name, space] of Object.entries(snapshot.spaces)) {
    if (name === snapshot.namespace) continue;
    const pods = (seenOf(space.pods) ?? []).filter(isAlive);
    const bare = pods.filter((pod) => sidecarOf(pod) === undefined);
    const asking = bare.filter(({ metadata }) => metadata?.annotations?.[ANNOTATION.inject] === 'true');
    findings.push(...bareFindings(name, asking, snapshot), ...waitingFindings(name, pods));
    const quiet = bare.filter((pod) => !asking.includes(pod));
    warnings.push(...quietWarnings(name, quiet), ...oldWarnings(name, pods, image));
  }
  return { findings, warnings };
}

function isAlive({ status }: Pod): boolean {
  return status?.phase !== 'Succeeded' && status?.phase !== 'Failed';
}

export function sidecarOf({ spec }: Pod): Container | undefined {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].find(({ name }) => name === SIDECAR);
}

function bareFindings(namespace: string, pods: readonly Pod[], snapshot: Snapshot): Finding[] {
  return [...Map.groupBy(pods, (pod) => reasonOf(pod, namespace, snapshot))].map(([reason, some]) =>
    finding(
      'pod.no-sidecar',
      `in Namespace ${namespace}, pods ${names(some)} ask for a sidecar and have none: ${reason}`,
      'what they call and what calls them is neither proved nor judged',
      reason === HOST_NETWORK
        ? 'take hostNetwork off, or run a sidecar on the node itself (docs/sidecar.md)'
        : `start them anew: kubectl -n ${namespace} rollout restart`,
    ),
  );
}

const HOST_NETWORK = 'hostNetwork, where no sidecar is added';

function reasonOf({ metadata, spec }: Pod, namespace: string, snapshot: Snapshot): string {
  if (spec?.hostNetwork === true) return HOST_NETWORK;
  const made = Date.parse(metadata?.creationTimestamp ?? '');
  const space = seenOf(snapshot.namespaces)?.find((each) => each.metadata?.name === namespace);
  if (made < labelledAt(space)) return `made before the namespace was labelled ${OPT_IN.label}`;
  if (made < webhookMadeAt(snapshot)) return 'made before the webhook was';
  return 'brokers were not asked, or the webhook was away';
}

/** When the label was last set, as far as the API server keeps it; else NaN, before which nothing is. */
function labelledAt(namespace: Namespace | undefined): number {
  const times = (namespace?.metadata?.managedFields ?? [])
    .filter(({ fieldsV1 }) => Object.hasOwn(labelFields(fieldsV1), `f:${OPT_IN.label}`))
    .map(({ time }) => Date.parse(time ?? ''));
  return Math.max(...times, times.length === 0 ? Number.NaN : 0);
}

function labelFields(fields: unknown): object {
  const { 'f:metadata': metadata } = (fields ?? {}) as { 'f:metadata'?: { 'f:labels'?: object } };
  return metadata?.['f:labels'] ?? {};
}

function webhookMadeAt({ mutating, namespace }: Snapshot): number {
  const ours = seenOf(mutating)?.find((each) => ownWebhooks(each, namespace).length > 0);
  return Date.parse(ours?.metadata?.creationTimestamp ?? '');
}

function quietWarnings(namespace: string, pods: readonly Pod[]): Finding[] {
  const why = ({ metadata }: Pod) => {
    const said = metadata?.annotations?.[ANNOTATION.inject];
    return said === undefined ? `no annotation ${ANNOTATION.inject}` : `${ANNOTATION.inject} ${said}`;
  };
  return [...Map.groupBy(pods, why)].map(([reason, some]) =>
    finding(
      'pod.aside',
      `in Namespace ${namespace}, pods ${names(some)} have no sidecar: ${reason}`,
      'what they call and what calls them is neither proved nor judged',
      `annotate their template with ${ANNOTATION.inject}: "true", unless this is meant`,
    ),
  );
}

/** Told by the pod's own state: the sidecar is a container like any other there. */
function waitingFindings(namespace: string, pods: readonly Pod[]): Finding[] {
  const waiting = pods.flatMap((pod) => {
    const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
    const status = [...initContainerStatuses, ...containerStatuses].find(({ name }) => name === SIDECAR);
    return status === undefined || status.ready === true ? [] : [{ pod, status }];
  });
  return waiting.map(({ pod, status }) =>
    finding(
      'pod.waits',
      `Pod ${namespace}/${pod.metadata?.name} is not ready: container ${SIDECAR} ${messageOf(status)}`,
      'its app does not start, or gets no calls',
      `kubectl -n ${namespace} logs ${pod.metadata?.name} -c ${SIDECAR}; signet explain says which entry it lacks`,
    ),
  );
}

function messageOf({ state, lastState }: ContainerStatus): string {
  const { waiting, terminated } = state ?? {};
  const last = lastState?.terminated;
  const said = [
    waiting?.reason,
    waiting?.message,
    ...[terminated, last].flatMap((end) =>
      end === undefined ? [] : [`ended with ${end.exitCode}`, end.reason, end.message],
    ),
  ].filter((each) => each !== undefined && each !== '');
  return said.length === 0 ? 'runs, and has no SVID yet or cannot say so' : said.join(', ');
}

/** What new pods are given: the chart names one image for brokers and sidecars. */
function sidecarImage({ broker }: Snapshot): string | undefined {
  const container = seenOf(broker)?.spec?.template?.spec?.containers?.find(({ name }) => name === 'broker');
  return container?.image;
}

function oldWarnings(namespace: string, pods: readonly Pod[], image: string | undefined): Finding[] {
  if (image === undefined) return [];
  const others = pods.filter((pod) => (sidecarOf(pod)?.image ?? image) !== image);
  if (others.length === 0) return [];
  const images = new Set(others.map((pod) => sidecarOf(pod)?.image ?? ''));
  return [
    finding(
      'pod.old-sidecar',
      `in Namespace ${namespace}, pods ${names(others)} run the sidecar ${named([...images])}, and brokers ${image}`,
      'what was mended since is not mended there',
      `kubectl -n ${namespace} rollout restart of what owns them`,
    ),
  ];
}

function names(pods: readonly Pod[]): string {
  return named(pods.map(({ metadata }) => metadata?.name ?? ''));
}
