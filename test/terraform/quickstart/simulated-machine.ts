import { chmod, chown, mkdir, mkdtemp, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { load } from 'js-yaml';
import { startChild } from '../../../harness/child.ts';
import { type LoggingProcess, startProcess } from '../../../harness/processes.ts';
import { root as sources } from '../../../setup/paths.mjs';

/**
 * A machine that is not there: a root folder of its own in which a **fake cloud-init** does what the user data says and **fakes** of systemctl, dpkg
 * and rpm note what they are told. All other programs are the real machine's, and run with that folder as their root.
 */
export interface SimulatedMachine extends AsyncDisposable {
  /** Where a path of the machine's is in truth. */
  at(path: string): string;
  /** What systemctl, dpkg and rpm were told, a line a time. */
  readonly told: readonly string[];
  /** What of the user data failed; cloud-init goes on after it. */
  readonly failed: readonly string[];
  /** Starts the sidecar as its unit would: by the settings in /etc/signet/sidecar.env. */
  startSidecar(): Promise<LoggingProcess>;
}

type CloudConfig = {
  readonly write_files?: readonly {
    readonly path: string;
    readonly content: string;
    readonly permissions: string;
    readonly owner?: string;
  }[];
  readonly runcmd?: readonly (string | readonly string[])[];
};

const PROGRAMS = ['usr', 'bin', 'sbin', 'lib', 'lib64'];
const IS_ROOT = process.getuid?.() === 0;
const BORROWED = [...PROGRAMS, 'dev', 'proc'];
/** Mounts what the machine borrows where nobody else sees it, programs to look at only, and runs the rest with the folder as its root. */
const ENTER = `set -e
root=$1; shift
for each in ${BORROWED.join(' ')} "${sources.slice(1)}"; do
  if [ -d "$root/$each" ] && [ ! -L "$root/$each" ]; then mount --rbind "/$each" "$root/$each"; fi
done
for each in ${PROGRAMS.join(' ')} "${sources.slice(1)}"; do
  if [ -d "$root/$each" ] && [ ! -L "$root/$each" ] && ${IS_ROOT}; then mount -o remount,bind,ro "$root/$each"; fi
done
exec chroot "$root" "$@"`;
const noteOf = (name: string) => `#!/bin/sh\nprintf '%s\\n' "${name} $*" >> /run/was-told\n`;

/** Boots one for the first time. `made`: files that its maker put there. @throws whatever of the user data cannot be done */
export async function bootMachine(
  userData: string,
  made: { readonly [path: string]: string | Buffer } = {},
): Promise<SimulatedMachine> {
  const root = await mkdtemp(join(tmpdir(), 'signet-machine-'));
  const at = (path: string) => join(root, path);
  const unshare = ['unshare', '--mount', ...(IS_ROOT ? [] : ['--map-root-user'])];
  const inside = [...unshare, 'sh', '-c', ENTER, 'sh', root];
  const running: LoggingProcess[] = [];
  const write = async (path: string, content: string | Buffer, permissions = '0644') => {
    await mkdir(dirname(at(path)), { recursive: true });
    await writeFile(at(path), content);
    await chmod(at(path), Number.parseInt(permissions, 8));
  };
  const machine: SimulatedMachine = {
    at,
    told: [],
    failed: [],
    async startSidecar() {
      const env = environmentOf(await readFile(at('/etc/signet/sidecar.env'), 'utf8'));
      for (const [name, source] of await credentials()) {
        const content = await readFile(at(source)).catch(() => '\n');
        await write(`${CREDENTIALS}/${name}`, content, '0600');
      }
      const given = { ...env, CREDENTIALS_DIRECTORY: CREDENTIALS };
      const sidecar = await startProcess({ args: ['sidecar'], env: given, inside });
      running.push(sidecar);
      return sidecar;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(running.map((each) => each.stop(2_000)));
      await rm(root, { recursive: true, force: true });
    },
  };
  try {
    for (const folder of ['etc', 'run', 'tmp', 'var', 'opt/bin', sources])
      await mkdir(at(folder), { recursive: true });
    for (const folder of BORROWED) {
      const link = await readlink(`/${folder}`).catch(() => undefined);
      if (link === undefined) await mkdir(at(folder), { recursive: true });
      else await symlink(link, at(folder));
    }
    for (const name of ['systemctl', 'dpkg', 'rpm']) await write(`/opt/bin/${name}`, noteOf(name), '0755');
    for (const [path, bytes] of Object.entries(made)) await write(path, bytes, '0600');
    const { write_files = [], runcmd = [] } = cloudConfig(userData);
    for (const { path, content, permissions } of write_files) {
      await write(path, content, permissions);
      if (IS_ROOT) await chown(at(path), 0, 0);
    }
    const failed: string[] = [];
    for (const command of runcmd) {
      const line = typeof command === 'string' ? ['sh', '-c', command] : command;
      const child = await startChild(inside[0]!, [...inside.slice(1), ...line], {
        env: { PATH: '/opt/bin:/usr/bin:/bin:/usr/sbin:/sbin' },
      });
      child.stdin.end();
      const { code } = await child.ended;
      if (code !== 0) failed.push(`${line.join(' ')} ended with ${code}: ${child.stdout()}${child.stderr()}`);
    }
    const told = await readFile(at('/run/was-told'), 'utf8');
    return { ...machine, failed, told: told.trim().split('\n') };
  } catch (error) {
    await machine[Symbol.asyncDispose]();
    throw error;
  }
}

function cloudConfig(userData: string): CloudConfig {
  if (!userData.startsWith('#cloud-config\n')) throw new Error('the user data is no cloud-config');
  const document = load(userData) as CloudConfig;
  const odd = Object.keys(document).filter((key) => key !== 'write_files' && key !== 'runcmd');
  if (odd.length > 0) throw new Error(`the fake cloud-init does not know ${odd.join()}`);
  return document;
}

const CREDENTIALS = '/run/credentials/signet-sidecar.service';

/** What the unit in the package has systemd read for the sidecar: name and file. */
async function credentials(): Promise<[name: string, source: string][]> {
  const unit = await readFile(join(sources, 'packaging/linux/files/signet-sidecar.service'), 'utf8');
  return Array.from(unit.matchAll(/^LoadCredential=([^:]+):(.+)$/gm), ([, name, source]) => [
    String(name),
    String(source),
  ]);
}

/** As systemd reads an EnvironmentFile, as far as the module writes one. */
function environmentOf(text: string): Record<string, string> {
  const lines = text.split('\n').filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, value] = /^([A-Z_]+)='([^']*)'$/.exec(line) ?? [];
      if (name === undefined || value === undefined) throw new Error(`not a setting: ${line}`);
      return [name, value];
    }),
  );
}
