import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiServer, startApiServer } from './api-server.ts';
import { startComponent, untilReady } from './component.ts';
import { requireContainers, startContainerd } from './containerd.ts';
import { startCoredns } from './coredns.ts';
import { busyboxImage, nodeImage } from './images.ts';
import { startKubeProxy } from './kube-proxy.ts';
import { startKubelet } from './kubelet.ts';
import { restoreMachine, takeMachine } from './machine.ts';

const NODE = 'signet-node';

/** A Kubernetes of one node that runs real pods. One at a time on a machine, as root. Stop it: `stop()` puts the machine back. */
export interface Cluster extends ApiServer {
  readonly node: string;
  /** Of the bridge: where pods reach what listens on the host, and the API server too. */
  readonly hostAddress: string;
  readonly podCidr: string;
  /** Makes the images of an archive, as `docker save` or an OCI tool writes one, known to the node; their names. */
  importImages(archive: string): Promise<string[]>;
}

export interface ClusterOptions {
  /** `localhost/node:1`, the Node that runs this, beside `localhost/busybox:1`. */
  readonly node?: boolean;
}

/** Starts all of a cluster and waits until its node is ready: about 20 s. What an earlier run has left is taken away first. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { busybox } = requireContainers();
  await using stack = new AsyncDisposableStack();
  const { folder, address, podCidr } = await takeMachine();
  stack.defer(() => restoreMachine());
  const server = stack.use(
    await startApiServer({
      controllers: true,
      advertise: address,
      within: folder,
      // a webhook's Service is reached at its pods, whether or not kube-proxy knows it yet
      flags: { 'enable-aggregator-routing': 'true' },
    }),
  );
  const containerd = stack.use(await startContainerd(join(folder, 'containerd'), podCidr, address));
  const images = join(folder, 'images');
  await containerd.importImages(await busyboxImage(busybox, images, 'pause', ['/bin/sleep', 'infinity']));
  await containerd.importImages(await busyboxImage(busybox, images, 'busybox'));
  if (options.node) await containerd.importImages(await nodeImage(busybox, images));

  stack.use(await startScheduler(join(folder, 'scheduler'), server));
  const { pki } = server;
  const kubelet = stack.use(
    await startKubelet(join(folder, 'kubelet'), { node: NODE, address, containerd: containerd.socket, pki }),
  );
  await untilReady('kubelet', kubelet, async () =>
    isReady(await server.request('GET', `/api/v1/nodes/${NODE}`)),
  );
  const dns = stack.use(
    await startCoredns(join(folder, 'coredns'), { address, kubeconfig: server.kubeconfig }),
  );
  const proxy = stack.use(await startKubeProxy(join(folder, 'kube-proxy'), { node: NODE, podCidr, pki }));
  stack.defer(() => removePods(server));
  const owned = stack.move();
  return {
    ...server,
    node: NODE,
    hostAddress: address,
    podCidr,
    importImages: containerd.importImages,
    output: () =>
      [
        server.output(),
        ...[containerd, kubelet, dns, proxy].map((each) => each.stdout() + each.stderr()),
      ].join(''),
    stop: () => owned.disposeAsync(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function startScheduler(folder: string, { pki }: ApiServer) {
  await mkdir(folder);
  const { kubeconfig } = await pki.user('kube-scheduler', 'system:kube-scheduler');
  const flags = {
    kubeconfig,
    'secure-port': '0',
    'leader-elect': 'false',
    'cert-dir': folder,
    profiling: 'false',
  };
  return startComponent('kube-scheduler', flags, { cwd: folder });
}

// biome-ignore lint/suspicious/noExplicitAny: a v1 Node
function isReady({ body }: { body: any }): boolean {
  return (body.status?.conditions ?? []).some(
    (each: { type: string; status: string }) => each.type === 'Ready' && each.status === 'True',
  );
}

/** Pods that the kubelet takes away leave less to undo by force. What makes new ones goes first. */
async function removePods(server: ApiServer): Promise<void> {
  const all = ['deployments,daemonsets,replicasets,jobs', 'pods'];
  for (const kinds of all)
    await server
      .kubectl('delete', kinds, '--all', '-A', '--wait=false', '--grace-period=1', '--request-timeout=10s')
      .catch(() => {});
  for (const end = Date.now() + 15_000; Date.now() < end; await sleep(100)) {
    const { body } = await server.request('GET', '/api/v1/pods').catch(() => ({ body: { items: [] } }));
    if (body.items.length === 0) return;
  }
}
