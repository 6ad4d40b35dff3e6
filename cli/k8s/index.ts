import { Command } from 'commander';
import { judgeCluster } from '../../lib/kubernetes/index.ts';
import { print, printJson } from '../input.ts';
import { showReport } from '../report.ts';
import { openCluster } from './place.ts';
import { lookAt } from './snapshot.ts';

type CheckFlags = {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace: string;
  readonly json?: boolean;
};

const AFTER = `
environment:
  KUBECONFIG             the kubeconfig, where --kubeconfig does not name one; without either ~/.kube/config, and in a pod
                         without that, the pod's own service account

It only reads, and creates three things as a dry run: two pods and a token. What you may not look at is told as a fault of its own.`;

/** `signet k8s`: a cluster held against what Signet needs of it. */
export function k8sCommand(): Command {
  const command = new Command('k8s').description('inspect a Kubernetes cluster');
  command
    .command('check')
    .description(
      'what is missing in a cluster or dangerous: each fault, what it allows or breaks, and the fix; exits 1 if there is any',
    )
    .option('--kubeconfig <file>', 'how to reach the cluster')
    .option('--context <name>', 'a context of the kubeconfig, other than its current one')
    .option('--namespace <name>', 'where brokers run', 'signet')
    .option('--json', 'for machines')
    .addHelpText('after', AFTER)
    .action(check);
  return command;
}

async function check(flags: CheckFlags, command: Command): Promise<void> {
  using api = await openCluster(flags, command);
  const looked = await lookAt(api, flags.namespace);
  const report = 'unreachable' in looked ? unreachable(looked.unreachable) : judgeCluster(looked, new Date());
  if (flags.json) printJson(report);
  else showReport(report, print);
  if (report.findings.length > 0) process.exitCode = 1;
}

function unreachable(why: string) {
  const finding = {
    id: 'server.unreachable',
    setting: `the API server could not be looked at: ${why}`,
    allows: 'nothing is known of the cluster; brokers that cannot reach it either attest no pod',
    fix: 'look at the address and the authority in the kubeconfig, and whether the API server runs',
  };
  return { findings: [finding], warnings: [] };
}
