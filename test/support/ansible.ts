import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from '../../harness/child.ts';
import { ansibleFolder } from '../../setup/ansible.mjs';
import { root } from '../../setup/paths.mjs';

export type Ran = { readonly code: number | null; readonly out: string };

/** The pinned Ansible with the collection of this repository, in a folder of its own. */
export interface Ansible extends AsyncDisposable {
  readonly dir: string;
  /** Where it finds the collection, and what it is run with. */
  readonly collection: string;
  readonly env: Readonly<Record<string, string>>;
  run(
    command: string,
    args: readonly string[],
    env?: Readonly<Record<string, string>>,
    within?: readonly string[],
  ): Promise<Ran>;
  /** Runs a play of these tasks (JSON is YAML) and gives back its results, task by task, and what was printed. */
  play(tasks: readonly object[], options?: PlayOptions): Promise<Played>;
}

export type PlayOptions = {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Names of the hosts, all of which are this machine; `localhost` without it. */
  readonly hosts?: readonly string[];
  readonly play?: object;
  /** A command that runs the one that is put behind it, elsewhere. */
  readonly within?: readonly string[];
};

export type Played = Ran & {
  /** The result of the task with this name on the host. @throws when there is none */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects to find, and fails when it is not there
  of(task: string, host?: string): any;
};

/** Undefined where Ansible is not installed. */
export async function openAnsible(): Promise<Ansible | undefined> {
  const folder = ansibleFolder();
  if (folder === undefined) return undefined;
  const dir = await mkdtemp(join(tmpdir(), 'signet-ansible-'));
  const collection = join(dir, 'ansible_collections/signet/identity');
  await mkdir(join(dir, 'ansible_collections/signet'), { recursive: true });
  await symlink(join(root, 'ansible'), collection);
  const env = {
    PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
    PYTHONPATH: folder,
    PYTHONDONTWRITEBYTECODE: '1',
    HOME: dir,
    LC_ALL: 'C.UTF-8',
    ANSIBLE_HOME: join(dir, 'home'),
    ANSIBLE_COLLECTIONS_PATH: dir,
    ANSIBLE_NOCOLOR: '1',
    ANSIBLE_LOCALHOST_WARNING: '0',
    ANSIBLE_INVENTORY_UNPARSED_WARNING: '0',
  };
  const run: Ansible['run'] = async (command, args, more = {}, within = []) => {
    const [file = '', ...rest] = [...within, join(folder, 'bin', command), ...args];
    const child = await startChild(file, rest, {
      cwd: dir,
      env: { ...env, ...more },
    });
    child.stdin.end();
    const { code } = await child.ended;
    return { code, out: child.stdout() + child.stderr() };
  };
  let count = 0;
  return {
    dir,
    collection,
    env,
    run,
    async play(tasks, { args = [], env: more = {}, hosts = ['localhost'], play = {}, within = [] } = {}) {
      const name = join(dir, `play-${count++}`);
      const plan = [
        {
          hosts: 'all',
          gather_facts: false,
          connection: 'local',
          ...play,
          ...(tasks.length > 0 && { tasks }),
        },
      ];
      await writeFile(`${name}.yml`, JSON.stringify(plan));
      const python = 'ansible_python_interpreter={{ansible_playbook_python}}';
      await writeFile(`${name}.ini`, `[all]\n${hosts.map((host) => `${host} ${python}`).join('\n')}\n`);
      const own = { ANSIBLE_CALLBACK_RESULT_FORMAT: 'json', ANSIBLE_LOG_PATH: `${name}.log` };
      const command = ['-i', `${name}.ini`, `${name}.yml`, ...args];
      const ran = await run('ansible-playbook', command, { ...more, ...own }, within);
      return { ...ran, of: (task, host = 'localhost') => resultOf(ran.out, task, host) };
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

/** Out of what the default callback prints with `-v`. */
function resultOf(out: string, task: string, host: string): unknown {
  const section = out.split(`TASK [${task}] `)[1]?.split(/^(?:TASK|PLAY|RUNNING HANDLER) /m)[0];
  const line = section
    ?.split(/^(?=(?:ok|changed|fatal|skipping): \[)/m)
    .find((part) => part.includes(`: [${host}]`));
  const json = line && /=> (\{[\s\S]*?^\}|\{.*\})/m.exec(line)?.[1];
  if (!json) throw new Error(`no result of ${task} on ${host}:\n${out}`);
  return JSON.parse(json);
}
