import assert from 'node:assert/strict';
import { cp, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { PROBLEM_CODES } from '../../../broker/problem.ts';
import { root } from '../../../setup/paths.mjs';
import { type Ansible, openAnsible } from '../../support/ansible.ts';

const MODULES = ['signet_entry', 'signet_host', 'signet_policy', 'vault_unwrap'];
const SPECS = `
import importlib, json
base = "ansible_collections.signet.identity.plugins.action."
print(json.dumps({name: importlib.import_module(base + name).ActionModule.SPEC for name in ${JSON.stringify(MODULES)}}))
`;
type Option = Readonly<Record<string, unknown>>;

describe('the collection signet.identity', function () {
  this.timeout(180_000);
  let ansible: Ansible;
  /** A copy of it, since some of these tools write where they look. */
  let copy: string;
  const base = () => ({ ANSIBLE_COLLECTIONS_PATH: join(ansible.dir, 'copies'), PIP_NO_INDEX: '1' });
  before(async function () {
    const opened = await openAnsible();
    if (opened === undefined) this.skip();
    ansible = opened;
    copy = join(ansible.dir, 'copies/ansible_collections/signet/identity');
    await mkdir(join(copy, '..'), { recursive: true });
    await cp(join(root, 'ansible'), copy, { recursive: true });
  });
  after(() => ansible?.[Symbol.asyncDispose]());

  const inCopy = (command: string, ...args: string[]) =>
    ansible.run(command, args, base(), ['sh', '-c', 'cd "$0" && exec "$@"', copy]);

  it('documents every option of its modules as it is', async () => {
    const [docs, specs] = await Promise.all([
      ansible.run('ansible-doc', ['--json', ...MODULES.map((name) => `signet.identity.${name}`)]),
      ansible.run('ansible', [], { PYTHONPATH: `${ansible.env['PYTHONPATH']}:${ansible.dir}` }, [
        ...['python3', '-c', SPECS],
      ]),
    ]);
    assert.equal(docs.code, 0, docs.out);
    assert.equal(specs.code, 0, specs.out);
    const documented = JSON.parse(docs.out);
    for (const [name, spec] of Object.entries(
      JSON.parse(specs.out) as Record<string, Record<string, Option>>,
    )) {
      const { doc, examples, return: returned } = documented[`signet.identity.${name}`];
      assert.ok(examples.includes(`signet.identity.${name}:`) && returned.code !== undefined, name);
      const facts = ({ type, default: value, choices, required, elements }: Option) => ({
        ...{ type, choices, elements, required: required ?? false, default: value ?? null },
      });
      const told = Object.entries(doc.options as Record<string, Option>).map(([option, each]) => [
        option,
        facts(each),
      ]);
      const taken = Object.entries(spec).map(([option, each]) => [option, facts(each)]);
      assert.deepEqual(Object.fromEntries(told), Object.fromEntries(taken), name);
    }
  });

  it('documents its lookup and its roles', async () => {
    for (const args of [
      ['-t', 'lookup', 'signet.identity.bundle'],
      ['-t', 'role', 'signet.identity.sidecar'],
      ['-t', 'role', 'signet.identity.broker'],
    ]) {
      const ran = await ansible.run('ansible-doc', ['--json', ...args]);
      assert.equal(ran.code, 0, ran.out);
      assert.ok(JSON.parse(ran.out)[args[2]!], ran.out);
    }
  });

  it('has defaults for what its roles say has one, and no others', async () => {
    for (const role of ['sidecar', 'broker']) {
      const ran = await ansible.run('ansible-doc', ['--json', '-t', 'role', `signet.identity.${role}`]);
      const { options } = JSON.parse(ran.out)[`signet.identity.${role}`].entry_points.main;
      const said = Object.entries(options as Record<string, Option>).filter(
        ([, each]) => each['default'] !== undefined,
      );
      const defaults = load(await readFile(join(root, `ansible/roles/${role}/defaults/main.yml`), 'utf8'));
      assert.deepEqual(
        Object.fromEntries(said.map(([name, each]) => [name, each['default']])),
        defaults,
        role,
      );
    }
  });

  it('passes ansible-lint by its profile for production', async () => {
    const ran = await inCopy('ansible-lint', '--offline', '--nocolor', '--profile', 'production', '.');
    assert.equal(ran.code, 0, ran.out);
    assert.match(ran.out, /Passed: 0 failure\(s\), 0 warning\(s\) in \d\d+ files/);
  });

  it('passes the tests of ansible-test sanity that need no download', async () => {
    const doc = await readFile(join(root, 'docs/ansible.md'), 'utf8');
    const list = /need nothing downloaded: ([\s\S]*?)\. Of the others/.exec(doc)?.[1] ?? '';
    const names = Array.from(list.matchAll(/`([a-z-]+)`/g), ([, name]) => name!);
    assert.ok(names.length >= 14);
    const [, python = ''] =
      /python version = (3\.\d+)/.exec((await inCopy('ansible', '--version')).out) ?? [];
    const tests = names.flatMap((name) => ['--test', name]);
    const ran = await inCopy('ansible-test', 'sanity', ...tests, '--python', python);
    assert.equal(ran.code, 0, ran.out);
    for (const name of names) assert.match(ran.out, new RegExp(`Running sanity test "${name}"`));
  });

  it('says in its document what each code means, by the name it has', async () => {
    const doc = await readFile(join(root, 'docs/ansible.md'), 'utf8');
    const codes = Array.from(doc.matchAll(/^\| [^|]+ \| `(\w+)` \|$/gm), ([, code]) => code!);
    assert.ok(codes.length >= 10);
    const sources = await Promise.all(
      ['plugin_utils/host_keys.py', 'plugin_utils/broker.py', 'action/signet_host.py'].map((name) =>
        readFile(join(root, 'ansible/plugins', name), 'utf8'),
      ),
    );
    const known = (code: string) =>
      (PROBLEM_CODES as readonly string[]).includes(code) ||
      sources.some((text) => text.includes(`"${code}"`));
    assert.deepEqual(
      codes.filter((code) => !known(code)),
      [],
    );
  });
});
