import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../command.ts';
import { type Host, openHost } from './host.ts';

/** A network of this machine's own, on which it stands beside the hosts that a test starts. */
export interface Yard extends AsyncDisposable {
  /** Of this machine, as the hosts see it. */
  readonly address: string;
  /** A Debian with systemd and sshd that runs, under a name of up to ten letters. It is ended with the yard. */
  startHost(name: string): Promise<Host>;
}

const FOLDER = join(tmpdir(), 'signet-yards');

/**
 * Makes a bridge with a net of its own. What runs that were killed have left is taken away first.
 * @throws without root, or without the Debian that set-up makes
 */
export async function openYard(): Promise<Yard> {
  if (process.getuid?.() !== 0) throw new Error('machines of a test need root');
  await clearLeft();
  const folder = join(FOLDER, String(process.pid));
  const bridge = `sgy${process.pid}`;
  const net = await freeNet();
  mkdirSync(folder, { recursive: true });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => clear(process.pid));
  await run('ip', 'link', 'add', bridge, 'type', 'bridge');
  await run('ip', 'address', 'add', `${net}.1/24`, 'dev', bridge);
  await run('ip', 'link', 'set', bridge, 'up');
  const rest = stack.move();
  let last = 1;
  return {
    address: `${net}.1`,
    async startHost(name) {
      last += 1;
      const host = await openHost({ name, folder, bridge, gateway: `${net}.1`, address: `${net}.${last}` });
      rest.use(host);
      await host.boot();
      return host;
    },
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

/** Of processes that are no more. */
async function clearLeft(): Promise<void> {
  const pids = existsSync(FOLDER) ? readdirSync(FOLDER).map(Number) : [];
  for (const pid of pids.filter((each) => !existsSync(`/proc/${each}`))) await clear(pid);
}

/** Undoes all of a process: mounts, network namespaces, bridge, files. Its hosts have ended with it. */
async function clear(pid: number): Promise<void> {
  const folder = join(FOLDER, String(pid));
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.toReversed().filter((each) => each.startsWith(`${folder}/`)))
    await run('umount', '-l', mount);
  const spaces = existsSync('/run/netns') ? readdirSync('/run/netns') : [];
  for (const space of spaces.filter((name) => name.startsWith(`sgy${pid}-`)))
    await run('ip', 'netns', 'delete', space);
  if (existsSync(`/sys/class/net/sgy${pid}`)) await run('ip', 'link', 'delete', `sgy${pid}`);
  rmSync(folder, { recursive: true, force: true });
}

/** The first three numbers of a net that no route of the machine knows. */
async function freeNet(): Promise<string> {
  const routes = await run('ip', '-4', 'route', 'show', 'table', 'all');
  for (let third = 0; third < 256; third += 1)
    if (!routes.includes(`10.214.${third}.`)) return `10.214.${third}`;
  throw new Error('no net is free for the hosts');
}
