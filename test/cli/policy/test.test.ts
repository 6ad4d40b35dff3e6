import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signet } from '../signet.ts';

const TARGET = 'spiffe://example.org/ns/shop/sa/orders';
const WEB = 'spiffe://example.org/ns/shop/sa/web';
const base = { level: 'application', target: TARGET, effect: 'allow', mode: 'enforce' };
const policies = [
  { ...base, name: 'read', when: { all: [{ caller: { is: WEB } }, { path: { like: '/orders/{id}' } }] } },
  { ...base, name: 'no-delete', level: 'root', effect: 'deny', when: { method: { is: 'DELETE' } } },
  { ...base, name: 'draft', effect: 'deny', mode: 'dry-run', when: { path: { is: '/orders/7' } } },
];
const suite = {
  now: '2026-03-02T10:00:00Z',
  callers: { web: WEB, stranger: 'spiffe://example.org/ns/other/sa/x' },
  requests: { 'read one': { path: '/orders/8' }, 'remove one': { method: 'DELETE', path: '/orders/8' } },
  rows: [
    { caller: 'web', request: 'read one', outcome: 'allow', rule: 'read', dry_run: [] },
    { caller: 'web', request: 'GET /orders/7', outcome: 'allow', rule: 'read', dry_run: ['draft'] },
    { caller: ['web', 'stranger'], request: 'remove one', outcome: 'deny', rule: 'no-delete' },
    { caller: ['stranger', 'anonymous'], request: ['read one', 'PUT /'], outcome: 'deny', rule: null },
  ],
};

describe('signet policy test', () => {
  let cwd: string;
  const write = (name: string, value: unknown) => writeFile(join(cwd, name), JSON.stringify(value));
  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'signet-suite-'));
    for (const folder of ['good', 'wrong', 'alone', 'bare']) await mkdir(join(cwd, folder));
    for (const folder of ['good', 'wrong', 'bare']) await write(`${folder}/orders.json`, policies);
    await write('good/orders.test.json', suite);
    await write('alone/orders.test.json', suite);
    await write('wrong/orders.test.json', {
      ...suite,
      rows: [
        suite.rows[0],
        { caller: 'web', request: 'GET /orders/7', outcome: 'deny', rule: 'draft', dry_run: [] },
        { what: 'by mistake', caller: 'stranger', request: 'GET /orders/7', outcome: 'allow' },
      ],
    });
  });
  after(() => rm(cwd, { recursive: true }));

  it('every combination of a row passes, every rule is covered, exit 0', async () => {
    const ran = await signet(['policy', 'test', 'good', '--coverage', '100'], { cwd });
    assert.deepEqual(ran, {
      status: 0,
      stdout: 'good/orders.test.json: 8 passed, 0 failed\n8 passed, 0 failed, 100 % of 3 rules covered\n',
      stderr: '',
    });
    assert.equal((await signet(['policy', 'test', 'good/orders.test.json'], { cwd })).stdout, ran.stdout);
  });

  it('a case that comes out otherwise: what differs, with the explanation, exit 1', async () => {
    const ran = await signet(['policy', 'test', 'wrong'], { cwd });
    assert.equal(ran.status, 1);
    assert.match(
      ran.stdout,
      new RegExp(
        '^FAILED wrong/orders.test.json#/rows/1: web, GET /orders/7\n' +
          ' {2}outcome: expected "deny", found "allow"\n' +
          ' {2}rule: expected "draft", found "read"\n' +
          ' {2}dry-run rules: expected \\[\\], found \\["draft"\\]\n' +
          ' {2}allowed by read \\(application\\)\n',
      ),
    );
    assert.match(
      ran.stdout,
      /FAILED .*#\/rows\/2: by mistake: stranger, GET \/orders\/7\n.*\n {2}denied: no rule/,
    );
    assert.match(
      ran.stdout,
      new RegExp(`\nnot covered: no-delete of ${TARGET}\n1 passed, 2 failed, 66 % of 3 rules covered\n$`),
    );
    const json = JSON.parse((await signet(['policy', 'test', 'wrong', '--json'], { cwd })).stdout);
    assert.deepEqual(
      [json.ok, json.passed, json.failed, json.coverage],
      [false, 1, 2, { rules: 3, percent: 66, uncovered: [{ target: TARGET, rule: 'no-delete' }] }],
    );
    assert.deepEqual([json.failures[0].pointer, json.failures[0].differences.length], ['/rows/1', 3]);
  });

  it('coverage below what was asked, exit 1; so are rules that no suite asks about', async () => {
    await write('good/more.json', { ...policies[0], name: 'more', when: { path: { is: '/more' } } });
    try {
      assert.equal((await signet(['policy', 'test', 'good'], { cwd })).status, 0);
      const ran = await signet(['policy', 'test', 'good', '--coverage', '100'], { cwd });
      assert.deepEqual([ran.status, /not covered: more of/.test(ran.stdout)], [1, true]);
      assert.equal((await signet(['policy', 'test', 'good', '--coverage', '75'], { cwd })).status, 0);
    } finally {
      await rm(join(cwd, 'good/more.json'));
    }
    await write('bare/other.json', { ...policies[0], name: 'unasked' });
    const ran = await signet(['policy', 'test', 'good', 'bare', '--coverage', '100'], { cwd });
    assert.equal(ran.status, 2, 'a folder that was named has no suite');
    await mkdir(join(cwd, 'good/below'));
    await write('good/below/other.json', { ...policies[0], name: 'unasked' });
    try {
      const nested = await signet(['policy', 'test', 'good', '--coverage', '100'], { cwd });
      assert.deepEqual([nested.status, /not covered: unasked of/.test(nested.stdout)], [1, true]);
    } finally {
      await rm(join(cwd, 'good/below'), { recursive: true });
    }
  });

  it('by other policies than those beside the suite', async () => {
    const asked = ['policy', 'test', 'alone', '--policy', 'good/orders.json'];
    assert.equal((await signet(asked, { cwd })).status, 0);
    const ran = await signet(['policy', 'test', 'alone'], { cwd });
    assert.deepEqual([ran.status, /no policy file is beside/.test(ran.stderr)], [2, true]);
  });

  it('a suite or a policy with a defect: file and pointer, exit 1', async () => {
    await mkdir(join(cwd, 'bad'));
    await write('bad/orders.json', policies);
    await write('bad/x.test.json', {
      ...suite,
      extra: 1,
      rows: [{ caller: 'nobody', request: 'nothing', outcome: 'maybe', user: 'x', with: { risk: 101 } }],
    });
    const ran = await signet(['policy', 'test', 'bad'], { cwd });
    const places = ran.stdout
      .trim()
      .split('\n')
      .map((line) => line.split(': found ')[0]);
    assert.deepEqual(
      [ran.status, places],
      [1, ['bad/x.test.json#/extra', 'bad/x.test.json#/rows/0/with/risk', 'bad/x.test.json#/rows/0/outcome']],
    );
    await write('bad/x.test.json', {
      ...suite,
      rows: [{ caller: 'nobody', request: 'nothing', outcome: 'deny', user: 'x' }],
    });
    const names = JSON.parse((await signet(['policy', 'test', 'bad', '--json'], { cwd })).stdout);
    assert.deepEqual(
      [names.ok, names.defects.map(({ pointer }: { pointer: string }) => pointer)],
      [false, ['/rows/0/caller', '/rows/0/user', '/rows/0/request']],
    );
  });

  for (const [what, args] of [
    ['a coverage that is no number', ['good', '--coverage', 'all']],
    ['a suite that is not there', ['nowhere.test.json']],
    ['nothing to run', []],
  ] as const) {
    it(`wrong usage, exit 2: ${what}`, async () => {
      assert.equal((await signet(['policy', 'test', ...args], { cwd })).status, 2);
    });
  }
});
