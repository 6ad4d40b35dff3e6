import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signet } from '../signet.ts';

const TARGET = 'spiffe://example.org/ns/shop/sa/orders';
const WEB = 'spiffe://example.org/ns/shop/sa/web';
const read = {
  name: 'orders-read',
  level: 'application',
  target: TARGET,
  effect: 'allow',
  mode: 'enforce',
  when: {
    all: [{ caller: { is: WEB } }, { method: { in: ['GET', 'HEAD'] } }, { path: { like: '/orders/{id}' } }],
  },
};

describe('signet policy', () => {
  let cwd: string;
  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'signet-cli-'));
    const write = (name: string, value: unknown) => writeFile(join(cwd, name), JSON.stringify(value));
    await write('good.json', [read, { ...read, name: 'draft', mode: 'dry-run' }]);
    await write('other.json', { ...read, target: WEB });
    await write('bad.json', {
      policies: [read, { ...read, name: 'x', mode: 'off', when: { path: { contains: '/' } } }],
    });
    await writeFile(join(cwd, 'broken.json'), '{');
    await mkdir(join(cwd, 'empty'));
  });
  after(() => rm(cwd, { recursive: true }));

  it('check: a sound set, exit 0', async () => {
    const ran = await signet(['policy', 'check', 'good.json', 'other.json'], { cwd });
    assert.deepEqual(ran, {
      status: 0,
      stdout: '3 documents for 2 targets, 1 in dry-run: fine\n',
      stderr: '',
    });
    const json = await signet(['policy', 'check', '--json', 'good.json'], { cwd });
    assert.deepEqual(JSON.parse(json.stdout), {
      ok: true,
      documents: 2,
      dry_run: 1,
      targets: [TARGET],
      warnings: [],
    });
  });

  it('check: every defect by file and JSON pointer, exit 1', async () => {
    const ran = await signet(['policy', 'check', 'good.json', 'bad.json', 'broken.json'], { cwd });
    assert.equal(ran.status, 1);
    const places = ran.stdout
      .trim()
      .split('\n')
      .map((line) => line.split(': found ')[0]);
    assert.deepEqual(places.sort(), [
      'bad.json#/policies/0/name',
      'bad.json#/policies/1/mode',
      'bad.json#/policies/1/when/path/contains',
      'broken.json#',
    ]);
    const json = JSON.parse((await signet(['policy', 'check', 'broken.json', '--json'], { cwd })).stdout);
    assert.deepEqual(
      [json.ok, json.defects[0].file, json.defects[0].expected],
      [false, 'broken.json', 'JSON'],
    );
  });

  it('check: a rule that does nothing is a warning, exit 0', async () => {
    const all = {
      ...read,
      name: 'all',
      level: 'root',
      effect: 'deny',
      when: { path: { like: '/orders/{id}' } },
    };
    const input = JSON.stringify([read, all]);
    const ran = await signet(['policy', 'check', '-'], { input });
    assert.deepEqual(
      [ran.status, ran.stdout.split('\n')[0]],
      [0, `warning: orders-read of ${TARGET} allows nothing: all denies all of it`],
    );
    const { warnings } = JSON.parse((await signet(['policy', 'check', '-', '--json'], { input })).stdout);
    assert.deepEqual(warnings, [
      { target: TARGET, rule: 'orders-read', message: 'allows nothing: all denies all of it' },
    ]);
  });

  it('check: reads standard input', async () => {
    const ran = await signet(['policy', 'check', '-'], { input: JSON.stringify(read) });
    assert.deepEqual([ran.status, ran.stdout], [0, '1 document for 1 target, 0 in dry-run: fine\n']);
  });

  it('schema: prints the JSON Schema', async () => {
    assert.equal(JSON.parse((await signet(['policy', 'schema'])).stdout).title, 'Signet policies');
  });

  for (const [what, args, message] of [
    ['no file', ['check'], /missing required argument/],
    ['a file that is not there', ['check', 'nowhere.json'], /cannot read nowhere\.json: ENOENT/],
    ['a folder without policies', ['check', 'empty'], /cannot read empty: there is no such file in it/],
    ['an unknown option', ['check', '--strict', 'good.json'], /unknown option/],
  ] as [string, string[], RegExp][]) {
    it(`wrong usage, exit 2: ${what}`, async () => {
      const ran = await signet(['policy', ...args], { cwd });
      assert.deepEqual([ran.status, ran.stdout], [2, '']);
      assert.match(ran.stderr, message);
    });
  }
});
