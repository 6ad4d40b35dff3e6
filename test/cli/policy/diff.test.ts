import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compilePolicies, parsePolicies } from '../../../lib/policy/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { signet } from '../signet.ts';
import { logOf, TARGET, WEB } from './records.ts';

const OTHER = 'spiffe://example.org/ns/shop/sa/batch';
const base = { level: 'application', target: TARGET, effect: 'allow', mode: 'enforce' };
const read = { ...base, name: 'read', when: { all: [{ method: { is: 'GET' } }, { path: { starts: '/' } }] } };
const noBatch = {
  ...base,
  ...{ name: 'no-batch', level: 'root', effect: 'deny' },
  when: { all: [{ caller: { is: OTHER } }, { path: { like: '/orders/{order}' } }] },
};
const write = { ...base, name: 'write', when: { method: { is: 'PUT' } } };
const digest = compilePolicies(
  parsePolicies([{ file: 'f', text: JSON.stringify([read]) }]),
  parseSpiffeId(TARGET),
).digest;

describe('signet policy diff', () => {
  let cwd: string;
  const diff = (log: string, proposed: string, ...more: string[]) =>
    signet(
      ['policy', 'diff', '--recorded', log, '--current', 'current.json', '--proposed', proposed, ...more],
      {
        cwd,
      },
    );
  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'signet-diff-'));
    const set = (name: string, value: unknown) => writeFile(join(cwd, name), JSON.stringify(value));
    await set('current.json', [read]);
    await set('proposed.json', [read, noBatch, write]);
    await set('renamed.json', [{ ...read, name: 'reading' }]);
    const denied = { effect: 'deny', rule: null, level: null };
    await writeFile(
      join(cwd, 'log.jsonl'),
      logOf([
        { policy: digest },
        { policy: digest, caller: OTHER },
        { policy: digest, caller: OTHER, path: '/orders/8' },
        { policy: digest, caller: OTHER, path: '/stock/99' },
        { policy: digest, method: 'PUT', path: '/stock/1', ...denied },
        { policy: digest, method: 'PUT', path: '/stock/2', ...denied },
        { method: 'PUT', path: '/stock/3', ...denied },
      ]),
    );
  });
  after(() => rm(cwd, { recursive: true }));

  it('what would come out otherwise, by caller and route, exit 1', async () => {
    const ran = await diff('log.jsonl', 'proposed.json');
    assert.deepEqual(ran, {
      status: 1,
      stdout: [
        'would be denied: 2',
        `  ${OTHER}`,
        '    2 GET /orders/{order}: allowed by read, would be denied by no-batch; for example run-1',
        'would be allowed: 3',
        `  ${WEB}`,
        '    3 PUT /stock/{id}: denied for want of a rule, would be allowed by write; for example run-4',
        'recorded under other policies than the current: 1',
        '7 recorded decisions, 5 would come out otherwise\n',
      ].join('\n'),
      stderr: '',
    });
    const json = JSON.parse((await diff('log.jsonl', 'proposed.json', '--json')).stdout);
    assert.deepEqual([json.same, json.decisions, json.changes.length], [false, 7, 2]);
    assert.deepEqual(json.changes[1], {
      ...{ caller: OTHER, method: 'GET', route: '/orders/{order}' },
      before: { effect: 'allow', rule: 'read' },
      after: { effect: 'deny', rule: 'no-batch' },
      example: { id: 'run-1', file: 'log.jsonl', line: 2 },
      count: 2,
    });
  });

  it('nothing would, exit 0; the same outcome by another rule is counted', async () => {
    const same = await diff('log.jsonl', 'current.json');
    assert.deepEqual(
      [same.status, same.stdout.split('\n').at(-2)],
      [0, '7 recorded decisions, 0 would come out otherwise'],
    );
    const renamed = await diff('log.jsonl', 'renamed.json');
    assert.deepEqual(
      [renamed.status, renamed.stdout.split('\n')[0]],
      [0, 'decided alike by another rule: 4'],
    );
  });

  it('a record of the current policies that these do not decide so is told', async () => {
    await writeFile(join(cwd, 'odd.jsonl'), logOf([{ policy: digest, rule: 'gone' }]));
    const ran = await diff('odd.jsonl', 'current.json');
    assert.match(ran.stdout, /recorded under the current policies, which now say otherwise: 1/);
  });

  it('by what the audit holds of the user, the risk and the rest; what a rule asks beside that is named, exit 1', async () => {
    const scoped = {
      ...base,
      name: 'scoped',
      when: {
        all: [{ 'user.scope': { has: 'read' } }, { risk: { below: 40 } }, { source: { cidr: '10.0.0.0/8' } }],
      },
    };
    const tenant = { ...base, name: 'tenant', effect: 'deny', when: { 'header.x-tenant': { is: 'none' } } };
    await writeFile(join(cwd, 'scoped.json'), JSON.stringify(scoped));
    await writeFile(join(cwd, 'tenant.json'), JSON.stringify([read, tenant]));
    const user = { issuer: 'https://idp.example', subject: 'alice' };
    const facts = { 'user.scope': ['read', 'write'], source: '10.0.0.7' };
    const log = logOf([
      { user, facts, risk: { score: 10, reasons: [] } },
      { user, facts, risk: { score: 90, reasons: [] } },
      { user, facts: { source: '192.0.2.1', 'user.scope': [] }, risk: { score: 10, reasons: [] } },
      { risk: { score: 10, reasons: [] } },
      { user, facts: { source: '10.0.0.7' } },
    ]);
    await writeFile(join(cwd, 'facts.jsonl'), log);
    const json = JSON.parse((await diff('facts.jsonl', 'scoped.json', '--json')).stdout);
    assert.deepEqual(
      json.changes.map(({ count, example }: { count: number; example: { id: string } }) => [
        count,
        example.id,
      ]),
      [[3, 'run-1']],
    );
    const example = { id: 'run-4', file: 'facts.jsonl', line: 5 };
    assert.deepEqual(json.not_replayed, {
      count: 1,
      missing: ['user.scope', 'risk'].map((missing) => ({ missing, count: 1, example })),
      unreadable: 0,
    });
    const headers = await diff('facts.jsonl', 'tenant.json');
    assert.equal(headers.status, 1);
    assert.match(
      headers.stdout,
      /^not judged again, because a rule asks for what the audit does not hold: 5\n {2}5 header\.x-tenant, for example run-0\n/,
    );
  });

  it('a record that cannot be judged, exit 1', async () => {
    await writeFile(
      join(cwd, 'bad.jsonl'),
      logOf([{ caller: 'web' }, { path: '/\u001b[2J' }, { id: 'a b' }]),
    );
    const ran = await diff('bad.jsonl', 'current.json');
    assert.deepEqual(
      [ran.status, ran.stdout.split('\n')[0]],
      [1, 'not judged again, because the record cannot be read: 3'],
    );
  });

  it('reads standard input; wrong usage is exit 2, a refused set exit 1', async () => {
    const args = ['--current', 'current.json', '--proposed', 'current.json'];
    const piped = await signet(['policy', 'diff', '--recorded', '-', ...args], { cwd, input: logOf([{}]) });
    assert.match(piped.stdout, /\n1 recorded decision, 0 would come out otherwise\n$/);
    assert.equal((await diff('nowhere.jsonl', 'current.json')).status, 2);
    assert.equal((await diff('log.jsonl', 'nowhere.json')).status, 2);
    await writeFile(join(cwd, 'broken.json'), '{');
    assert.equal((await diff('log.jsonl', 'broken.json')).status, 1);
  });
});
