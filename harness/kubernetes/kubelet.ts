import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Child } from '../child.ts';
import { freePort } from '../port.ts';
import { startComponent } from './component.ts';
import type { Pki } from './pki.ts';

export interface KubeletOptions {
  readonly node: string;
  /** Of the node: the bridge's, so that nothing depends on the machine's network. */
  readonly address: string;
  readonly containerd: string;
  readonly pki: Pki;
}

/** Starts a kubelet with all of its own in `folder`. */
export async function startKubelet(folder: string, options: KubeletOptions): Promise<Child> {
  const { node, address, containerd, pki } = options;
  const at = (name: string) => join(folder, name);
  await mkdir(folder, { recursive: true });
  const served = await pki.server('kubelet', [node, address, '127.0.0.1', 'localhost']);
  const { kubeconfig } = await pki.user('node', `system:node:${node}`, ['system:nodes']);
  await writeFile(at('resolv.conf'), 'nameserver 127.0.0.1\n');
  const configuration = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address,
    port: await freePort(),
    healthzPort: 0,
    readOnlyPort: 0,
    tlsCertFile: `${served}.crt`,
    tlsPrivateKeyFile: `${served}.key`,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: pki.caFile },
    },
    authorization: { mode: 'Webhook' },
    containerRuntimeEndpoint: `unix://${containerd}`,
    cgroupDriver: 'cgroupfs',
    failCgroupV1: false,
    failSwapOn: false,
    oomScoreAdj: 0,
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    clusterDNS: [address],
    clusterDomain: 'cluster.local',
    resolvConf: at('resolv.conf'),
    makeIPTablesUtilChains: false,
    syncFrequency: '10s',
    fileCheckFrequency: '0s',
    httpCheckFrequency: '0s',
    podLogsDir: at('logs'),
    volumePluginDir: at('plugins'),
  };
  await writeFile(at('kubelet.json'), JSON.stringify(configuration));
  const flags = {
    config: at('kubelet.json'),
    kubeconfig,
    'root-dir': folder,
    'cert-dir': at('certificates'),
    'hostname-override': node,
    'node-ip': address,
  };
  return startComponent('kubelet', flags, { cwd: folder });
}
