import { brokerReport } from './broker.ts';
import { type ClusterReport, type Finding, finding } from './finding.ts';
import { identityReport } from './identities.ts';
import { namespaceReport } from './namespaces.ts';
import { platformFindings } from './platform.ts';
import { podReport } from './pods.ts';
import { rightsReport } from './rights.ts';
import { type Snapshot, unseenOf } from './snapshot.ts';
import { webhookReport } from './webhooks.ts';

/** Holds a cluster against what Signet needs of it. */
export function judgeCluster(snapshot: Snapshot, now: Date): ClusterReport {
  const reports: ClusterReport[] = [
    { findings: platformFindings(snapshot), warnings: [] },
    brokerReport(snapshot),
    webhookReport(snapshot, now),
    rightsReport(snapshot),
    namespaceReport(snapshot),
    podReport(snapshot),
    identityReport(snapshot),
    { findings: unseenOf(snapshot).map(unseenFinding), warnings: [] },
  ];
  return {
    findings: reports.flatMap(({ findings }) => findings),
    warnings: reports.flatMap(({ warnings }) => warnings),
  };
}

function unseenFinding({ what, unseen }: { readonly what: string; readonly unseen: string }): Finding {
  return finding(
    'unseen',
    `could not look at ${what}, because ${unseen}`,
    'what is wrong there is not told here',
    'run this again as somebody who may do that, once the API server answers it',
  );
}
