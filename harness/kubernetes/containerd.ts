import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { containerPrograms } from '../../setup/containers.mjs';
import { type Child, startChild } from '../child.ts';
import { run } from '../command.ts';
import { untilReady } from './component.ts';
import { BRIDGE } from './machine.ts';

export interface Containerd extends Child {
  readonly socket: string;
  /** Makes the images of an archive, as `docker save` or an OCI tool writes one, known to the node; their names. */
  importImages(archive: string): Promise<string[]>;
}

/** Starts containerd with all of its own in `folder`, and pods on the bridge. */
export async function startContainerd(folder: string, podCidr: string, gateway: string): Promise<Containerd> {
  const programs = requireContainers();
  const at = (name: string) => join(folder, name);
  await mkdir(at('cni'), { recursive: true });
  await writeFile(at('cni/10-pods.conflist'), networkOf(folder, podCidr, gateway));
  await writeFile(at('config.toml'), configurationOf(folder, programs));
  const path = [dirname(programs.containerd), dirname(programs.runc), process.env['PATH']].join(delimiter);
  const child = await startChild(programs.containerd, ['--config', at('config.toml')], {
    cwd: folder,
    env: { ...process.env, PATH: path },
  });
  const ctr = (...args: string[]) =>
    run(programs.ctr, '--address', at('containerd.sock'), '--namespace', 'k8s.io', ...args);
  try {
    await untilReady('containerd', child, async () => Boolean(await ctr('version')), 20_000);
  } catch (error) {
    await child.kill();
    throw error;
  }
  return {
    ...child,
    socket: at('containerd.sock'),
    importImages: async (archive) => {
      const before = new Set((await ctr('images', 'list', '--quiet')).split('\n'));
      await ctr('images', 'import', '--snapshotter', 'overlayfs', archive);
      const after = (await ctr('images', 'list', '--quiet')).split('\n');
      return after.filter((name) => name && !before.has(name));
    },
  };
}

/** @throws where set-up has unpacked none */
export function requireContainers() {
  const programs = containerPrograms();
  if (!programs) throw new Error('there is no containerd here yet: run `npm run setup test` first');
  return programs;
}

/** Without masquerade: pods reach the host at the bridge's address, and nothing beyond it. */
function networkOf(folder: string, subnet: string, gateway: string): string {
  const ipam = {
    type: 'host-local',
    dataDir: join(folder, 'cni-addresses'),
    ranges: [[{ subnet, gateway }]],
    routes: [{ dst: '0.0.0.0/0' }],
  };
  const bridge = { type: 'bridge', bridge: BRIDGE, isGateway: true, ipMasq: false, hairpinMode: true, ipam };
  return JSON.stringify({ cniVersion: '0.4.0', name: BRIDGE, plugins: [bridge] });
}

/** What a container host may lack is not asked for: AppArmor, huge pages, the right to lower an OOM score. */
function configurationOf(folder: string, { bridge, runc }: ReturnType<typeof requireContainers>): string {
  return `version = 2
root = "${folder}/root"
state = "${folder}/state"
disabled_plugins = [${['snapshotter.v1.btrfs', 'snapshotter.v1.zfs', 'snapshotter.v1.devmapper', 'snapshotter.v1.aufs', 'internal.v1.tracing'].map((name) => `"io.containerd.${name}"`).join(', ')}, "io.containerd.tracing.processor.v1.otlp"]
[grpc]
address = "${folder}/containerd.sock"
[ttrpc]
address = "${folder}/containerd.sock.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
path = "${folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/pause:1"
restrict_oom_score_adj = true
disable_apparmor = true
tolerate_missing_hugetlb_controller = true
stream_server_address = "127.0.0.1"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "${dirname(bridge)}"
conf_dir = "${folder}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "runc"
snapshotter = "overlayfs"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = "${runc}"
SystemdCgroup = false
`;
}
