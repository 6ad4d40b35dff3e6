import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import {
  type KubernetesApi,
  KubernetesError,
  type KubernetesPlace,
  openKubernetes,
} from '../../lib/adapter/kubernetes/index.ts';
import { wrongUsage } from '../input.ts';

type Flags = { readonly kubeconfig?: string; readonly context?: string };

/** A webhook may take ten seconds to answer a dry run. */
const TIMEOUT_MS = 15_000;

/** A kubeconfig that cannot be used is wrong usage, and named. */
export async function openCluster(flags: Flags, command: Command): Promise<KubernetesApi & Disposable> {
  const place = placeOf(flags, command);
  const name = place.kind === 'kubeconfig' ? place.file : 'the service account of this pod';
  try {
    return await openKubernetes('cluster', place, { timeoutMs: TIMEOUT_MS });
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    return wrongUsage(command, `${name}: ${error.message.replace(/^cluster: /, '')}`);
  }
}

function placeOf({ kubeconfig, context }: Flags, command: Command): KubernetesPlace {
  const { KUBECONFIG = '', KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
  const home = join(homedir(), '.kube', 'config');
  const file = kubeconfig ?? (KUBECONFIG === '' ? undefined : KUBECONFIG);
  if (file?.includes(':'))
    wrongUsage(command, 'KUBECONFIG: names several files; choose one with --kubeconfig');
  if (file === undefined && host !== undefined && !existsSync(home)) {
    if (context !== undefined) wrongUsage(command, '--context: there is no kubeconfig to choose from');
    const name = host.includes(':') ? `[${host}]` : host;
    return { kind: 'in-cluster', server: new URL(`https://${name}:${port ?? '443'}`) };
  }
  return { kind: 'kubeconfig', file: file ?? home, ...(context === undefined ? {} : { context }) };
}
