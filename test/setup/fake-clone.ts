import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Child, type Ending, startChild } from '../../harness/child.ts';

const top = fileURLToPath(new URL('../..', import.meta.url));
const fakes = join(top, 'test/fakes/tools');

export interface SetupRun extends Ending {
  /** What it said, line by line, without the `setup: ` in front. */
  readonly lines: readonly string[];
}

/** What set-up reads of a clone, in a folder of its own, on a machine whose whole PATH is one folder of fakes. */
export interface FakeClone extends AsyncDisposable {
  readonly path: (...names: string[]) => string;
  /** Puts a fake tool on the machine's PATH. */
  has(...tools: ('go' | 'npm' | 'apt-get' | 'python3')[]): Promise<void>;
  /** Puts a program that answers as this Vault version on PATH or elsewhere; its path. */
  hasVault(version: string, folder?: string): Promise<string>;
  start(task?: string, env?: Record<string, string>, nodeFlags?: readonly string[]): Promise<Child>;
  run(task?: string, env?: Record<string, string>, nodeFlags?: readonly string[]): Promise<SetupRun>;
  /** The commands that the fakes were given, in order. */
  calls(): Promise<string[]>;
  /** What lies in the cache: names, sorted. */
  cached(): Promise<string[]>;
}

export async function fakeClone(): Promise<FakeClone> {
  const folder = await mkdtemp(join(tmpdir(), 'signet-setup-'));
  const path = (...names: string[]) => join(folder, ...names);
  await mkdir(path('bin'));
  await cp(join(top, 'setup'), path('setup'), { recursive: true });
  for (const file of [
    'package.json',
    'package-lock.json',
    'tools/vault/go.mod',
    'tools/ansible/requirements.txt',
    'tools/h2spec/go.mod',
    'tools/envoy/requirements.txt',
    'tools/ghostunnel/go.mod',
    'tools/kosoku/requirements.txt',
    'tools/strangers',
    'tools/opa',
    'tools/otelcol',
    'tools/terraform-provider-vault/go.mod',
    'tools/tofu/go.mod',
    'tools/kubernetes',
    'tools/coredns',
    'tools/helm/go.mod',
    'tools/nfpm/go.mod',
    'tools/vault-auth-kubernetes/go.mod',
  ]) {
    await cp(join(top, file), path(file), { recursive: true });
  }

  const start: FakeClone['start'] = (task, env = {}, nodeFlags = []) =>
    startChild(process.execPath, [...nodeFlags, path('setup/setup.mjs'), ...(task ? [task] : [])], {
      env: {
        PATH: path('bin'),
        FAKE_LOG: path('calls'),
        FAKE_BIN: path('bin'),
        FAKE_NODE: process.execPath,
        ...env,
      },
    });
  return {
    path,
    has: async (...tools) => {
      for (const tool of tools) await symlink(join(fakes, tool), path('bin', tool));
    },
    hasVault: async (version, at = path('bin')) => {
      await mkdir(at, { recursive: true });
      await writeFile(join(at, 'vault'), `#!/bin/sh\necho Vault v${version}, a fake\n`);
      await chmod(join(at, 'vault'), 0o755);
      return join(at, 'vault');
    },
    start,
    run: async (...given) => {
      const child = await start(...given);
      const ending = await child.ended;
      return { ...ending, lines: linesOf(child) };
    },
    calls: async () => (await readFile(path('calls'), 'utf8').catch(() => '')).split('\n').filter(Boolean),
    cached: async () => (await readdir(path('.cache'), { recursive: true }).catch(() => [])).sort(),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

export function linesOf(child: Child): string[] {
  return child
    .stderr()
    .split('\n')
    .filter(Boolean)
    .map((line) => line.replace(/^setup: /, ''));
}
