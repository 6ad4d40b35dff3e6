import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { compilePolicies, parsePolicies } from '../../../lib/policy/index.ts';
import { parseSuite } from '../../../lib/policy/suite/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { logOf, TARGET, WEB } from './records.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const doc = await readFile(join(root, 'docs/policy-tools.md'), 'utf8');
const blocks = (kind: string) =>
  [...doc.matchAll(new RegExp(`\`\`\`${kind}\n(.*?)\`\`\``, 'gs'))].map(([, inner]) => inner!);
/** A command, and what it is said to print; a last `…` stands for more. */
const runs = [...doc.matchAll(/```sh\n(.*?)```\n```text\n(.*?)```/gs)].map(
  ([, command, output]) => [command!, output!] as const,
);
const [suite, proposed] = blocks('json');

describe('docs/policy-tools.md', () => {
  let cwd: string;
  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'signet-doc-'));
    await cp(join(root, 'examples'), join(cwd, 'examples'), { recursive: true });
    await cp(join(root, 'examples/policies/rbac/orders.json'), join(cwd, 'proposed/orders.json'));
    await writeFile(join(cwd, 'proposed/no-mobile.json'), proposed!);
    const file = join(root, 'examples/policies/rbac/orders.json');
    const documents = parsePolicies([{ file, text: await readFile(file, 'utf8') }]);
    const policy = compilePolicies(documents, parseSpiffeId(TARGET)).digest;
    const user = { issuer: 'https://idp.example', subject: 'vera' };
    const read = { policy, rule: 'viewers-read', user, facts: { 'user.role': ['viewer'] } };
    const mobile = { ...read, caller: WEB.replace('web', 'mobile') };
    const denied = { effect: 'deny', rule: null, level: null };
    const records = [read, mobile, { ...read, ...denied, method: 'PUT' }, { ...mobile, path: '/orders/8' }];
    await writeFile(join(cwd, 'audit.jsonl'), logOf(records));
  });
  after(() => rm(cwd, { recursive: true }));

  it('shows a command for each task', () => {
    assert.equal(blocks('sh').length, runs.length);
    const tasks = runs.map(([command]) => /^npx signet policy (\w+)/.exec(command)?.[1]);
    assert.deepEqual(tasks, ['check', 'test', 'explain', 'explain', 'diff', 'show']);
  });

  for (const [command, output] of runs) {
    it(`${command.split('\n')[0]} prints what is shown`, async () => {
      const { stdout, stderr } = await shell(command, cwd);
      assert.equal(stderr, '');
      if (output.endsWith('\n…\n')) assert.equal(stdout.slice(0, output.length - 2), output.slice(0, -2));
      else assert.equal(stdout, output);
    });
  }

  it('shows a suite that is one, and passes', async () => {
    assert.equal(parseSuite({ file: 'doc', text: suite! }).cases.length, 6);
    await writeFile(join(cwd, 'doc.test.json'), suite!);
    const { stdout } = await shell(
      'npx signet policy test doc.test.json --policy examples/policies/rbac',
      cwd,
    );
    assert.match(stdout, /^doc\.test\.json: 6 passed, 0 failed\n/);
  });
});

/** As a user's shell would run it, with this clone as what npx finds. */
async function shell(command: string, cwd: string): Promise<{ stdout: string; stderr: string }> {
  const found = command.replace(/^npx signet /, '"$NODE" "$SIGNET" ');
  const env = { PATH: process.env['PATH'], NODE: process.execPath, SIGNET: join(root, 'cli/main.ts') };
  const child = spawn('sh', ['-c', found], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { stdout, stderr };
}
