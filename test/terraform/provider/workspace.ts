import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Child, startChild } from '../../../harness/child.ts';
import { outputOf } from '../../../setup/commands.mjs';
import { terraformPrograms } from '../../../setup/terraform.mjs';
import { Store } from './probe/store.ts';

export const PROBE = fileURLToPath(new URL('probe/main.ts', import.meta.url));
const REGISTRIES = ['registry.opentofu.org', 'registry.terraform.io'];

/** What drives the provider. */
export interface Driver {
  readonly name: string;
  /** Undefined where set-up could not build it: its tests are skipped, which CI counts as a failure. */
  readonly program: string | undefined;
}

let found: readonly Driver[] | undefined;

/** OpenTofu, which set-up provides, and Terraform where one is on the PATH that knows write-only values: 1.11 or newer. */
export function drivers(): readonly Driver[] {
  found ??= [{ name: 'OpenTofu', program: terraformPrograms()?.tofu }, ...terraform()];
  return found;
}

function terraform(): readonly Driver[] {
  const told = outputOf('terraform', ['version']) ?? '';
  const [, major = 0, minor = 0] = (/^Terraform v(\d+)\.(\d+)\./.exec(told) ?? []).map(Number);
  if (major > 1 || (major === 1 && minor >= 11)) return [{ name: 'Terraform', program: 'terraform' }];
  console.log('no Terraform 1.11 or newer is on the PATH: the provider is tried with OpenTofu alone');
  return [];
}

export type Ran = { readonly code: number | null; readonly out: string; readonly err: string };

/** A folder with a configuration that uses the probe, and the probe's store. */
export interface ProbeWorkspace extends AsyncDisposable {
  readonly dir: string;
  readonly store: Store;
  /** Writes the configuration, in which the provider is set up already, and what else its files hold. */
  write(configuration: string): Promise<void>;
  start(args: readonly string[], env?: Record<string, string>): Promise<Child>;
  run(args: readonly string[], env?: Record<string, string>): Promise<Ran>;
  /** @throws with its output when it fails */
  ok(...args: string[]): Promise<Ran>;
  apply(): Promise<Ran>;
  /** The attributes of the resource at this address in the state. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects to find, and fails when it is not there
  state(address: string): Promise<any>;
  /** Exits of `plan -detailed-exitcode`. */
  isDone(): Promise<boolean>;
  /** What was done to things since this was last asked. */
  events(): Promise<string[]>;
  /** The whole text of the state. */
  stateText(): Promise<string>;
}

/** @throws when the driver is not there */
export async function openProbe({ name, program }: Driver): Promise<ProbeWorkspace> {
  if (program === undefined) throw new Error(`${name} is not here: run \`npm run setup test\``);
  const dir = await mkdtemp(join(tmpdir(), 'signet-probe-'));
  const path = (...names: string[]) => join(dir, ...names);
  for (const registry of REGISTRIES) {
    const { platform, arch } = process;
    const target = `${platform}_${arch === 'x64' ? 'amd64' : arch}`;
    const folder = path('mirror', registry, 'signet/probe/0.1.0', target);
    await mkdir(folder, { recursive: true });
    const script = `#!/bin/sh\nexec '${process.execPath}' '${PROBE}'\n`;
    await writeFile(join(folder, 'terraform-provider-probe_v0.1.0'), script, { mode: 0o755 });
  }
  await writeFile(
    path('cli.tfrc'),
    `provider_installation {\n  filesystem_mirror {\n    path = ${JSON.stringify(path('mirror'))}\n  }\n}\n`,
  );
  await mkdir(path('store'));
  const base = {
    HOME: dir,
    TMPDIR: dir,
    PATH: process.env['PATH'],
    TF_CLI_CONFIG_FILE: path('cli.tfrc'),
    TF_IN_AUTOMATION: '1',
    CHECKPOINT_DISABLE: '1',
  };
  const start = (args: readonly string[], env: Record<string, string> = {}) =>
    startChild(program, args, { cwd: dir, env: { ...base, ...env } });
  const run = async (args: readonly string[], env?: Record<string, string>): Promise<Ran> => {
    const child = await start(args, env);
    child.stdin.end();
    const { code } = await child.ended;
    return { code, out: child.stdout(), err: child.stderr() };
  };
  const ok = async (...args: string[]) => {
    const ran = await run(args);
    if (ran.code !== 0) throw new Error(`${args.join(' ')} ended with ${ran.code}:\n${ran.out}${ran.err}`);
    return ran;
  };
  let heard = 0;
  const workspace: ProbeWorkspace = {
    dir,
    store: new Store(path('store')),
    write: (configuration) =>
      writeFile(
        path('main.tf'),
        `terraform {
  required_providers {
    probe = { source = "signet/probe" }
  }
}
provider "probe" {
  store = ${JSON.stringify(path('store'))}
}
${configuration}`,
      ),
    start,
    run,
    ok,
    apply: () => ok('apply', '-auto-approve', '-input=false', '-no-color'),
    async state(address) {
      const { resources } = JSON.parse(await workspace.stateText());
      const found = resources.find(
        ({ mode, type, name }: Record<string, string>) =>
          `${mode === 'data' ? 'data.' : ''}${type}.${name}` === address,
      );
      return found?.instances[0]?.attributes;
    },
    async isDone() {
      const ran = await run(['plan', '-detailed-exitcode', '-input=false', '-no-color']);
      if (ran.code === 0 || ran.code === 2) return ran.code === 0;
      throw new Error(`plan ended with ${ran.code}:\n${ran.out}${ran.err}`);
    },
    async events() {
      const all = (await readFile(path('store/events'), 'utf8').catch(() => '')).split('\n').filter(Boolean);
      const fresh = all.slice(heard);
      heard = all.length;
      return fresh;
    },
    stateText: () => readFile(path('terraform.tfstate'), 'utf8'),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
  await workspace.write('');
  await workspace.ok('init', '-input=false', '-no-color');
  return workspace;
}
