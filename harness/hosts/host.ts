import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostRoot } from '../../setup/hosts.mjs';
import { type Child, type Ending, startChild } from '../child.ts';
import { run } from '../command.ts';

export interface HostSpec {
  readonly name: string;
  /** Where what it writes is kept. */
  readonly folder: string;
  readonly bridge: string;
  readonly gateway: string;
  readonly address: string;
}

export interface Outcome extends Ending {
  readonly stdout: string;
  readonly stderr: string;
}

/** A Debian of its own, with real systemd and sshd, in namespaces of this machine's kernel. */
export interface Host extends AsyncDisposable {
  readonly name: string;
  readonly address: string;
  /** Its file system, as this machine sees it. It stays over reboots. */
  readonly root: string;
  /** PEM file of the key that its root lets in by ssh. */
  readonly sshKey: string;
  /** Runs a shell script as its root; what it printed. @throws with what it said when it fails */
  run(script: string): Promise<string>;
  /** The same, however it ends. */
  try(script: string): Promise<Outcome>;
  /** Starts it; settles when ssh answers. */
  boot(): Promise<void>;
  powerOff(): Promise<void>;
}

const BOOT_MS = 60_000;

/** Lays out a host; `boot` starts it. */
export async function openHost({ name, folder, bridge, gateway, address }: HostSpec): Promise<Host> {
  const base = hostRoot();
  if (!base)
    throw new Error('the Debian for hosts is not here: run `npm run setup test`, as root, on Debian');
  const at = (part: string) => join(folder, name, part);
  for (const part of ['upper', 'work', 'root']) mkdirSync(at(part), { recursive: true });
  const layers = `lowerdir=${base},upperdir=${at('upper')},workdir=${at('work')}`;
  await run('mount', '-t', 'overlay', 'overlay', '-o', layers, at('root'));
  await prepare(at('root'), name, at('ssh_key'));
  const space = `${bridge}-${name}`;
  let machine: Child | undefined;
  const powerOff = async () => {
    // systemd-nspawn passes it on as an orderly halt
    await machine?.stop(30_000);
    machine = undefined;
    if (existsSync(`/run/netns/${space}`)) await run('ip', 'netns', 'delete', space);
  };
  const attempt = async (script: string): Promise<Outcome> => {
    const init = await initOf(Number(machine?.pid));
    const child = await startChild('nsenter', ['--target', String(init), '--all', '--', 'sh', '-eu'], {
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' },
    });
    child.stdin.end(script);
    return { ...(await child.ended), stdout: child.stdout(), stderr: child.stderr() };
  };
  return {
    ...{ name, address, root: at('root'), sshKey: at('ssh_key'), powerOff },
    try: attempt,
    async run(script) {
      const { code, signal, stdout, stderr } = await attempt(script);
      if (code !== 0) throw new Error(`${name}: ${script} failed (${signal ?? code}):\n${stdout}\n${stderr}`);
      return stdout;
    },
    async boot() {
      await makeNetwork({ space, bridge, gateway, address });
      const options = [
        '--quiet',
        '--register=no',
        '--keep-unit',
        '--boot',
        `--machine=${name}`,
        '--link-journal=no',
      ];
      const rights = ['--capability=CAP_NET_ADMIN', `--network-namespace-path=/run/netns/${space}`];
      machine = await startChild('systemd-nspawn', [...options, ...rights, '--directory', at('root')]);
      machine.stdin.end();
      await untilAnswering(address, machine);
    },
    [Symbol.asyncDispose]: powerOff,
  };
}

/** Who it is, and who may come in. */
async function prepare(root: string, name: string, key: string): Promise<void> {
  writeFileSync(join(root, 'etc/hostname'), `${name}\n`);
  writeFileSync(join(root, 'etc/hosts'), `127.0.0.1 localhost ${name}\n::1 localhost\n`);
  writeFileSync(join(root, 'etc/machine-id'), '');
  await run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key);
  await run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(root, 'etc/ssh/ssh_host_ed25519_key'));
  mkdirSync(join(root, 'root/.ssh'), { recursive: true, mode: 0o700 });
  writeFileSync(join(root, 'root/.ssh/authorized_keys'), readFileSync(`${key}.pub`), { mode: 0o600 });
}

type Network = Pick<HostSpec, 'bridge' | 'gateway' | 'address'> & { readonly space: string };

async function makeNetwork({ space, bridge, gateway, address }: Network): Promise<void> {
  const end = `sgv${process.pid}x${address.split('.').at(-1)}`;
  await run('ip', 'netns', 'add', space);
  await run(
    'ip',
    'link',
    'add',
    end,
    'master',
    bridge,
    'type',
    'veth',
    'peer',
    'name',
    'host0',
    'netns',
    space,
  );
  await run('ip', 'link', 'set', end, 'up');
  await run('ip', '-n', space, 'address', 'add', `${address}/24`, 'dev', 'host0');
  for (const link of ['lo', 'host0']) await run('ip', '-n', space, 'link', 'set', link, 'up');
  await run('ip', '-n', space, 'route', 'add', 'default', 'via', gateway);
}

async function untilAnswering(host: string, machine: Child): Promise<void> {
  let over: Ending | undefined;
  void machine.ended.then((ending) => {
    over = ending;
  });
  for (const end = Date.now() + BOOT_MS; Date.now() < end; await sleep(50)) {
    if (over) throw new Error(`the host ended: ${machine.stdout()}\n${machine.stderr()}`);
    if (await answers(host)) return;
  }
  throw new Error(`the host does not answer: ${machine.stdout()}\n${machine.stderr()}`);
}

function answers(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: 22, timeout: 1_000 });
    const over = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('data', () => over(true));
    socket.once('timeout', () => over(false));
    socket.once('error', () => over(false));
    socket.once('close', () => over(false));
  });
}

/** The host's first process: the child of systemd-nspawn. */
async function initOf(nspawn: number): Promise<number> {
  const children = readFileSync(`/proc/${nspawn}/task/${nspawn}/children`, 'utf8').trim();
  const [init] = children.split(' ').map(Number);
  if (!init) throw new Error('the host does not run');
  return init;
}
