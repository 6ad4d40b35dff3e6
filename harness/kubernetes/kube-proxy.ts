import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Child } from '../child.ts';
import { freePort } from '../port.ts';
import { startComponent, untilReady } from './component.ts';
import type { Pki } from './pki.ts';

export interface KubeProxyOptions {
  readonly node: string;
  readonly podCidr: string;
  readonly pki: Pki;
}

/** Starts a kube-proxy, by which pods and the host reach Services at their addresses: the nftables table `kube-proxy`. */
export async function startKubeProxy(
  folder: string,
  { node, podCidr, pki }: KubeProxyOptions,
): Promise<Child> {
  await mkdir(folder);
  const { kubeconfig } = await pki.user('kube-proxy', 'system:kube-proxy');
  const health = `127.0.0.1:${await freePort()}`;
  const configuration = {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'nftables',
    clusterCIDR: podCidr,
    hostnameOverride: node,
    healthzBindAddress: health,
    metricsBindAddress: `127.0.0.1:${await freePort()}`,
    clientConnection: { kubeconfig },
    // of the machine's own limits nothing is changed
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  };
  const file = join(folder, 'kube-proxy.json');
  await writeFile(file, JSON.stringify(configuration));
  const path = `${process.env['PATH']}:/usr/sbin:/sbin`;
  const child = await startComponent('kube-proxy', { config: file }, { cwd: folder, env: { PATH: path } });
  try {
    await untilReady('kube-proxy', child, async () => (await fetch(`http://${health}/healthz`)).ok, 30_000);
  } catch (error) {
    await child.kill();
    throw error;
  }
  return child;
}
