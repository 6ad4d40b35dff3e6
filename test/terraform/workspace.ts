import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild } from '../../harness/child.ts';
import { createVault, withToken } from '../../lib/adapter/vault.ts';
import { Secret } from '../../lib/secret.ts';
import {
  examineVault,
  type Finding,
  parseLayout,
  planLayout,
  readActual,
} from '../../lib/vault-layout/index.ts';
import { terraformPrograms } from '../../setup/terraform.mjs';
import type { TestVault } from '../support/vault.ts';

/** The repository's Terraform modules. */
export const MODULES = fileURLToPath(new URL('../../terraform/modules', import.meta.url));

export type Ran = { readonly code: number | null; readonly out: string; readonly err: string };

/** A folder of its own with a configuration in it, on which OpenTofu runs, against one Vault. */
export interface Workspace extends AsyncDisposable {
  readonly dir: string;
  /** Everything that was printed so far, by any command. */
  readonly printed: () => string;
  run(...args: string[]): Promise<Ran>;
  /** @throws with its output when it fails */
  ok(...args: string[]): Promise<Ran>;
  /** Writes the inputs of the module `vault`, and what else the configuration holds. */
  write(inputs: object, more?: object): Promise<void>;
  /** Whether a plan has nothing to do. @throws when it cannot be made */
  isDone(): Promise<boolean>;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects to find, and fails when it is not there
  output(name: string): Promise<any>;
}

const OUTPUTS = ['layout', 'csr', 'issuing_chain', 'root_certificate', 'broker_environment'];

/** A workspace that calls the module `vault`. */
export async function openWorkspace(vault: Pick<TestVault, 'address' | 'rootToken'>): Promise<Workspace> {
  const programs = terraformPrograms();
  if (programs === undefined) throw new Error('OpenTofu is not built: run `npm run setup test`');
  const dir = await mkdtemp(join(tmpdir(), 'signet-tofu-'));
  // A copy, since OpenTofu writes its lock beside the module whose tests it runs.
  await cp(MODULES, join(dir, 'modules'), { recursive: true });
  await cp(join(MODULES, '../examples'), join(dir, 'examples'), { recursive: true });
  let printed = '';
  const run = async (...args: string[]): Promise<Ran> => {
    const child = await startChild(programs.tofu, args, {
      cwd: dir,
      env: {
        HOME: dir,
        PATH: process.env['PATH'],
        TF_CLI_CONFIG_FILE: programs.configuration,
        TF_IN_AUTOMATION: '1',
        CHECKPOINT_DISABLE: '1',
        VAULT_ADDR: vault.address,
        VAULT_TOKEN: vault.rootToken,
      },
    });
    const { code } = await child.ended;
    printed += child.stdout() + child.stderr();
    return { code, out: child.stdout(), err: child.stderr() };
  };
  const ok = async (...args: string[]) => {
    const ran = await run(...args);
    if (ran.code !== 0)
      throw new Error(`tofu ${args.join(' ')} ended with ${ran.code}:\n${ran.out}${ran.err}`);
    return ran;
  };
  return {
    dir,
    printed: () => printed,
    run,
    ok,
    async write(inputs, more = {}) {
      const configuration = {
        module: { vault: { source: './modules/vault', ...inputs } },
        output: Object.fromEntries(OUTPUTS.map((name) => [name, { value: `\${module.vault.${name}}` }])),
        ...more,
      };
      await writeFile(join(dir, 'main.tf.json'), JSON.stringify(configuration));
    },
    async isDone() {
      const ran = await run('plan', '-detailed-exitcode', '-input=false', '-no-color');
      if (ran.code === 0 || ran.code === 2) return ran.code === 0;
      throw new Error(`tofu plan ended with ${ran.code}:\n${ran.out}${ran.err}`);
    },
    output: async (name) => JSON.parse((await ok('output', '-json', name)).out),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

/** Writes the module's inputs and applies them. */
export async function applyModule(workspace: Workspace, inputs: object): Promise<void> {
  await workspace.write(inputs);
  await workspace.ok('init', '-input=false', '-no-color');
  await workspace.ok('apply', '-auto-approve', '-input=false', '-no-color');
}

export type Examined = {
  readonly findings: readonly Finding[];
  readonly warnings: readonly Finding[];
  readonly changes: readonly string[];
};

export const NOTHING: Examined = { findings: [], warnings: [], changes: [] };

/** What `signet vault doctor` and `signet vault plan` say, held against the layout that the module puts out. */
export async function examineBy(vault: TestVault, workspace: Workspace): Promise<Examined> {
  using client = createVault({ address: vault.address });
  const port = withToken(client, new Secret(vault.rootToken));
  const layout = parseLayout(await workspace.output('layout'));
  const now = new Date();
  const { findings, warnings } = await examineVault(port, layout, { now, nodeVersion: '26.13.1' });
  const changes = planLayout(await readActual(port, layout), layout, { now });
  return { findings, warnings, changes: changes.map(({ summary }) => summary) };
}
