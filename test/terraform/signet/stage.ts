import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, startChild } from '../../../harness/child.ts';
import { buildMirror } from '../../../packaging/terraform-provider/mirror.ts';
import { openSite, type Site, type TestBroker } from '../../broker/site.ts';
import type { Driver, Ran } from '../provider/workspace.ts';

/** A real Vault, a real broker, and the provider as it is packed. */
export interface Stage extends AsyncDisposable {
  readonly site: Site;
  readonly broker: TestBroker;
  /** A folder with a configuration of its own that speaks to them. */
  open(driver: Driver, env?: Readonly<Record<string, string>>): Promise<Workspace>;
}

export interface Workspace {
  readonly dir: string;
  /** Writes the configuration; `provider` holds what else the provider is told. */
  write(configuration: string, provider?: string): Promise<void>;
  start(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Child>;
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ran>;
  /** @throws with its output when it fails */
  apply(env?: Readonly<Record<string, string>>): Promise<Ran>;
  /** What an apply that must fail says, in one line. */
  refused(env?: Readonly<Record<string, string>>, ...args: string[]): Promise<string>;
  isDone(env?: Readonly<Record<string, string>>): Promise<boolean>;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects to find, and fails when it is not there
  state(address: string): Promise<any>;
  stateText(): Promise<string>;
  /** Everything that was printed so far. */
  printed(): string;
}

const PLAIN = ['-input=false', '-no-color'];

/** `env` is what the broker is told beside. */
export async function openStage(env: Readonly<Record<string, string>> = {}): Promise<Stage> {
  const dir = await mkdtemp(join(tmpdir(), 'signet-provider-stage-'));
  const [site, mirror] = await Promise.all([openSite(), buildMirror({ folder: join(dir, 'built') })]);
  const broker = await site.startBroker(env);
  const ca = join(dir, 'ca.pem');
  await writeFile(ca, site.ca);
  return {
    site,
    broker,
    async open({ name, program }, more = {}) {
      if (program === undefined) throw new Error(`${name} is not built: run \`npm run setup test\``);
      const folder = await mkdtemp(join(dir, 'work-'));
      const base = {
        HOME: folder,
        TMPDIR: folder,
        PATH: process.env['PATH'],
        TF_CLI_CONFIG_FILE: mirror.configuration,
        TF_IN_AUTOMATION: '1',
        CHECKPOINT_DISABLE: '1',
        SIGNET_BROKER_URL: `https://${broker.address}`,
        SIGNET_BROKER_CA: ca,
        SIGNET_TRUST_DOMAIN: 'example.org',
        ...more,
      };
      return await openWorkspace(folder, program, base);
    },
    async [Symbol.asyncDispose]() {
      await site[Symbol.asyncDispose]();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function openWorkspace(
  dir: string,
  program: string,
  base: Readonly<Record<string, string | undefined>>,
): Promise<Workspace> {
  let printed = '';
  const start = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    startChild(program, args, { cwd: dir, env: { ...base, ...env } });
  const run = async (args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ran> => {
    const child = await start(args, env);
    child.stdin.end();
    const { code } = await child.ended;
    printed += child.stdout() + child.stderr();
    return { code, out: child.stdout(), err: child.stderr() };
  };
  const ok = async (args: readonly string[], env?: Readonly<Record<string, string>>) => {
    const ran = await run(args, env);
    if (ran.code !== 0) throw new Error(`${args.join(' ')} ended with ${ran.code}:\n${ran.out}${ran.err}`);
    return ran;
  };
  const workspace: Workspace = {
    dir,
    write: (configuration, provider = '') =>
      writeFile(
        join(dir, 'main.tf'),
        `terraform {
  required_providers {
    signet = { source = "signet/signet" }
  }
}
provider "signet" {
${provider}
}
${configuration}`,
      ),
    start,
    run,
    apply: (env) => ok(['apply', '-auto-approve', ...PLAIN], env),
    async refused(env, ...args) {
      const ran = await run(args.length > 0 ? args : ['apply', '-auto-approve', ...PLAIN], env);
      if (ran.code === 0) throw new Error(`it was not refused: ${ran.out}`);
      return ran.err.replaceAll(/[│╷╵]/g, ' ').replaceAll(/\s+/g, ' ').trim();
    },
    async isDone(env) {
      const ran = await run(['plan', '-detailed-exitcode', ...PLAIN], env);
      if (ran.code === 0 || ran.code === 2) return ran.code === 0;
      throw new Error(`plan ended with ${ran.code}:\n${ran.out}${ran.err}`);
    },
    async state(address) {
      const { resources } = JSON.parse(await workspace.stateText());
      const found = resources.find(
        ({ mode, type, name }: Record<string, string>) =>
          `${mode === 'data' ? 'data.' : ''}${type}.${name}` === address,
      );
      return found?.instances[0]?.attributes;
    },
    stateText: () => readFile(join(dir, 'terraform.tfstate'), 'utf8'),
    printed: () => printed,
  };
  await workspace.write('');
  await ok(['init', ...PLAIN]);
  return workspace;
}

/** The providers that it runs: what any of its threads started. */
export async function pluginsOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`);
  const lists = await Promise.all(
    threads.map((id) => readFile(`/proc/${pid}/task/${id}/children`, 'utf8').catch(() => '')),
  );
  return lists.join(' ').split(' ').filter(Boolean).map(Number);
}
