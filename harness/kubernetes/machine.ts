import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../command.ts';

/** The one bridge of the one cluster that a machine can hold. */
export const BRIDGE = 'signet-k8s0';
const RECORD = join(tmpdir(), 'signet-cluster.json');
/** What the kubelet, or a bridge that forwards, changes for the whole machine. */
const SYSCTLS = ['vm/overcommit_memory', 'kernel/panic', 'kernel/panic_on_oops', 'net/ipv4/ip_forward'];

/** What a cluster changes on the machine, written down before it is changed, for a later run to undo after a crash. */
interface MachineRecord {
  readonly pid: number;
  /** Of that process, since its number may come again. */
  readonly started: string;
  readonly folder: string;
  readonly sysctls: { [name: string]: string };
}

/** How long another run may go on with its cluster before this one gives up. */
const TURN_MS = 120_000;

/** Makes the machine a node's: undoes what a run that crashed has left, writes down what is, and makes the bridge. @throws when another cluster runs on and on */
export async function takeMachine(): Promise<{ folder: string; address: string; podCidr: string }> {
  if (process.getuid?.() !== 0) throw new Error('real pods need root');
  let left = leftRecord();
  for (const end = Date.now() + TURN_MS; left && startOf(left.pid) === left.started; left = leftRecord()) {
    if (Date.now() > end) throw new Error(`process ${left.pid} runs a cluster here`);
    await sleep(500);
  }
  if (left) await restoreMachine(left);
  if (cgroups().length > 0) throw new Error('another Kubernetes node runs on this machine');
  const sysctls = Object.fromEntries(
    SYSCTLS.map((name) => [name, readFileSync(`/proc/sys/${name}`, 'utf8')]),
  );
  const folder = await mkdtemp(join(tmpdir(), 'signet-node-'));
  const record: MachineRecord = { pid: process.pid, started: startOf(process.pid) ?? '', folder, sysctls };
  await writeFile(RECORD, JSON.stringify(record), { flag: 'wx', mode: 0o600 });
  try {
    return { folder, ...(await makeBridge()) };
  } catch (error) {
    await restoreMachine(record);
    throw error;
  }
}

async function makeBridge(): Promise<{ address: string; podCidr: string }> {
  const net = await freeNet();
  await run('ip', 'link', 'add', BRIDGE, 'type', 'bridge');
  await run('ip', 'address', 'add', `${net}.1/24`, 'dev', BRIDGE);
  await run('ip', 'link', 'set', BRIDGE, 'up');
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
  return { address: `${net}.1`, podCidr: `${net}.0/24` };
}

/** Undoes it, once the components have ended: what runs in pods, mounts, network namespaces, bridge, cgroups, sysctls, files. */
export async function restoreMachine(record = leftRecord()): Promise<void> {
  if (!record) return;
  for (let round = 0; round < 100 && killAll(record.folder) > 0; round += 1) await sleep(50);
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.toReversed().filter((each) => each.startsWith(`${record.folder}/`)))
    await run('umount', '-l', mount).catch(() => {});
  await removeNetworks();
  await run('ip', 'link', 'delete', BRIDGE).catch(() => {});
  for (const family of ['ip', 'ip6'])
    await run('nft', 'delete', 'table', family, 'kube-proxy').catch(() => {});
  for (const group of cgroups()) removeGroup(group);
  for (const [name, value] of Object.entries(record.sysctls)) writeFileSync(`/proc/sys/${name}`, value);
  for (const file of ['DEPRECATION', 'kubelet.sock'])
    rmSync(`/var/lib/kubelet/device-plugins/${file}`, { force: true });
  for (const each of ['/var/lib/cni', '/var/lib/kubelet', '/run/containerd', '/var/log/containers'])
    removeEmpty(each);
  await rm(record.folder, { recursive: true, force: true });
  await rm(RECORD, { force: true });
}

/** What a node leaves on the machine where it was not taken away: empty when all is as before. */
export async function leftovers(folder: string): Promise<string[]> {
  const mounts = (await readFile('/proc/mounts', 'utf8'))
    .split('\n')
    .filter((line) => line.includes(folder) || line.includes('/netns/cni-'));
  const links = (await run('ip', '-brief', 'link')).split('\n').filter((line) => line.startsWith(BRIDGE));
  const processes = processesOf(folder).map((pid) => `process ${pid}`);
  const tables = (await run('nft', 'list', 'tables'))
    .split('\n')
    .filter((line) => line.includes('kube-proxy'));
  return [
    ...mounts,
    ...links,
    ...tables,
    ...processes,
    ...cgroups(),
    ...(existsSync(RECORD) ? [RECORD] : []),
  ];
}

function leftRecord(): MachineRecord | undefined {
  return existsSync(RECORD) ? JSON.parse(readFileSync(RECORD, 'utf8')) : undefined;
}

/** When a process began, in ticks since boot; undefined when there is none. */
function startOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19];
  } catch {
    return undefined;
  }
}

/** Kills what runs in pods and what was started with paths of the folder; how many there were. */
function killAll(folder: string): number {
  const pids = new Set([...cgroups().flatMap(pidsIn), ...processesOf(folder)]);
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
  return pids.size;
}

function processesOf(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) =>
      read(`/proc/${pid}/cmdline`)
        .split('\0')
        .slice(1)
        .some((argument) => argument.includes(`${folder}/`)),
    )
    .map(Number);
}

/** The kubelet's cgroup in each hierarchy, or in the one there is. */
function cgroups(): string[] {
  const top = '/sys/fs/cgroup';
  if (!existsSync(top)) return [];
  return ['', ...readdirSync(top)]
    .map((name) => join(top, name, 'kubepods'))
    .filter((group) => existsSync(group));
}

function pidsIn(group: string): number[] {
  const own = read(join(group, 'cgroup.procs')).split('\n').filter(Boolean).map(Number);
  return [...own, ...childrenOf(group).flatMap(pidsIn)];
}

function removeGroup(group: string): void {
  for (const child of childrenOf(group)) removeGroup(child);
  try {
    rmdirSync(group);
  } catch {
    // leftovers() tells of it
  }
}

function childrenOf(group: string): string[] {
  try {
    return readdirSync(group, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(group, entry.name));
  } catch {
    return [];
  }
}

/** Takes away what CNI wrote down outside the folder, and the network namespaces that it tells of. */
async function removeNetworks(): Promise<void> {
  const results = '/var/lib/cni/results';
  const names = existsSync(results) ? readdirSync(results) : [];
  for (const name of names.filter((each) => each.startsWith(`${BRIDGE}-`))) {
    const text = read(join(results, name));
    const [, netns] = /\/netns\/(cni-[0-9a-f-]+)/.exec(text) ?? [];
    const { containerId } = JSON.parse(text || '{}');
    if (netns) await run('ip', 'netns', 'delete', netns).catch(() => {});
    for (const each of names.filter((other) => containerId && other.includes(containerId)))
      rmSync(join(results, each), { force: true });
  }
}

/** Folders that a node makes outside its own, where nothing is in them. */
function removeEmpty(folder: string): void {
  for (const child of childrenOf(folder)) removeEmpty(child);
  try {
    rmdirSync(folder);
  } catch {
    // It holds something, or never was.
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** The first three numbers of a net that no route of the machine knows. */
async function freeNet(): Promise<string> {
  const routes = await run('ip', '-4', 'route', 'show', 'table', 'all');
  for (let third = 0; third < 256; third += 1)
    if (!routes.includes(`10.213.${third}.`)) return `10.213.${third}`;
  throw new Error('no net is free for pods');
}
