import { type ClusterReport, type Finding, finding } from './finding.ts';
import { BROKER } from './names.ts';
import type { Deployment } from './objects.ts';
import { selects } from './selector.ts';
import { type Snapshot, seenOf } from './snapshot.ts';

/** The brokers' Deployment and what keeps enough of them running. */
export function brokerReport(snapshot: Snapshot): ClusterReport {
  const { namespace, broker } = snapshot;
  if (!('seen' in broker)) return { findings: [], warnings: [] };
  const at = `Deployment ${namespace}/${BROKER}`;
  if (broker.seen === undefined) {
    const none = finding(
      'broker.none',
      `${at} does not exist`,
      'no pod gets an SVID here, and no annotated pod is admitted',
      'install the chart (docs/kubernetes-install.md), or say where it is with --namespace',
    );
    return { findings: [none], warnings: [] };
  }
  return {
    findings: [...runningFindings(broker.seen, at), ...budgetFindings(snapshot, broker.seen, at)],
    warnings: imageWarnings(broker.seen, at),
  };
}

function runningFindings({ spec, status }: Deployment, at: string): Finding[] {
  const [wanted, ready] = [spec?.replicas ?? 1, status?.readyReplicas ?? 0];
  const findings: Finding[] = [];
  if (ready < wanted || ready === 0) {
    findings.push(
      finding(
        'broker.ready',
        `${at} has ${ready} of ${wanted} replicas ready`,
        ready === 0
          ? 'no pod gets or renews an SVID, and no annotated pod is admitted'
          : 'the next failure may be the last one that is borne',
        'look at its pods: kubectl describe pods, kubectl logs',
      ),
    );
  }
  if (wanted < 2) {
    findings.push(
      finding(
        'broker.replicas',
        `${at} has spec.replicas ${wanted}`,
        'while its one pod moves, no annotated pod is admitted and no SVID renewed',
        'set replicas to 2 or more',
      ),
    );
  }
  return findings;
}

function budgetFindings({ budgets }: Snapshot, { spec }: Deployment, at: string): Finding[] {
  const list = seenOf(budgets);
  const labels = spec?.template?.metadata?.labels ?? {};
  if (list === undefined || list.some((budget) => selects(budget.spec?.selector, labels))) return [];
  return [
    finding(
      'broker.budget',
      `no PodDisruptionBudget selects the pods of ${at}`,
      'draining nodes may take every broker at once',
      'set podDisruptionBudget.enabled of the chart',
    ),
  ];
}

function imageWarnings({ spec }: Deployment, at: string): Finding[] {
  return (spec?.template?.spec?.containers ?? [])
    .filter(({ image = '' }) => !/@sha256:[0-9a-f]{64}$/.test(image))
    .map(({ name, image }) =>
      finding(
        'broker.image',
        `${at} container ${name} runs the image ${image}, named by a tag`,
        'whoever may push to the registry, or answer for it, replaces the broker',
        'set image.digest of the chart',
      ),
    );
}
