import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compilePolicies, parsePolicies } from '../../../lib/policy/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { signet } from '../signet.ts';
import { logOf, TARGET, WEB } from './records.ts';

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

describe('signet policy explain', () => {
  let cwd: string;
  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'signet-explain-'));
    const write = (name: string, value: unknown) => writeFile(join(cwd, name), JSON.stringify(value));
    await write('good.json', [read, { ...read, name: 'draft', mode: 'dry-run' }]);
    await write('other.json', { ...read, target: WEB });
    await write('bad.json', { ...read, mode: 'off' });
  });
  after(() => rm(cwd, { recursive: true }));

  const request = ['--policy', 'good.json', '--caller', WEB, '--path', '/orders/7'];

  it('allowed, exit 0', async () => {
    const ran = await signet(['policy', 'explain', ...request, '--method', 'GET'], { cwd });
    assert.equal(ran.status, 0);
    assert.match(ran.stdout, new RegExp(`^target ${TARGET}\nallowed by orders-read \\(application\\)\n`));
  });

  it('denied, with the rule that came nearest, exit 1', async () => {
    const ran = await signet(['policy', 'explain', ...request, '--method', 'PUT'], { cwd });
    assert.equal(ran.status, 1);
    assert.match(
      ran.stdout,
      /nearest rule orders-read \(application, allow\).*\n {2}method in \["GET","HEAD"\], found "PUT"\n/,
    );
    const json = JSON.parse(
      (await signet(['policy', 'explain', ...request, '--method', 'PUT', '--json'], { cwd })).stdout,
    );
    assert.deepEqual([json.target, json.request.caller], [TARGET, WEB]);
    assert.deepEqual([json.decision.code, json.nearest.rule], ['no_rule', 'orders-read']);
    assert.equal(json.nearest.unmet[0].pointer, '/when/all/1/method/in');
  });

  it('a caller without an SVID', async () => {
    const health = {
      ...read,
      name: 'health',
      when: { all: [{ caller: { is: 'anonymous' } }, { path: { is: '/health' } }] },
    };
    await writeFile(join(cwd, 'anonymous.json'), JSON.stringify([read, health]));
    const asked = [
      'policy',
      'explain',
      '--policy',
      'anonymous.json',
      '--caller',
      'anonymous',
      '--method',
      'GET',
    ];
    const allowed = await signet([...asked, '--path', '/health', '--json'], { cwd });
    const { request, decision } = JSON.parse(allowed.stdout);
    assert.deepEqual([allowed.status, request.caller, decision.rule], [0, 'anonymous', 'health']);
    const denied = await signet([...asked, '--path', '/orders/7'], { cwd });
    assert.equal(denied.status, 1);
    assert.match(denied.stdout, /^denied: no rule allows it\n {2}caller anonymous\n/m);
  });

  it('for one of several targets', async () => {
    const several = [...request, '--policy', 'other.json', '--method', 'GET'];
    assert.equal((await signet(['policy', 'explain', ...several, '--target', WEB], { cwd })).status, 0);
    const ran = await signet(['policy', 'explain', ...several], { cwd });
    assert.equal(ran.status, 2);
    assert.match(ran.stderr, /--target is needed: the files are for .*orders and .*web/);
  });

  it('a set that is refused explains nothing, exit 1', async () => {
    const ran = await signet(['policy', 'explain', ...request, '--policy', 'bad.json', '--method', 'GET'], {
      cwd,
    });
    assert.equal(ran.status, 1);
    assert.match(ran.stdout, /^bad\.json#/);
  });

  it('of a user, a header, a network, a risk and a time, as the command line says them', async () => {
    const when = {
      all: [
        { 'user.scope': { has: 'orders:read' } },
        { 'header.x-tenant': { is: 'a, b' } },
        { 'query.page': { is: '2' } },
        { source: { cidr: '10.0.0.0/8' } },
        { risk: { below: 40 } },
        { origin: { is: TARGET } },
        { time: { before: '2026-01-01T00:00:00Z' } },
        { size: { above: 9 } },
      ],
    };
    await writeFile(join(cwd, 'facts.json'), JSON.stringify({ ...read, when }));
    await writeFile(join(cwd, 'claims.json'), JSON.stringify({ sub: 'alice', scp: ['orders:read'] }));
    const asked = [
      'policy',
      'explain',
      '--policy',
      'facts.json',
      '--caller',
      WEB,
      '--method',
      'GET',
      '--path',
      '/',
    ];
    const said = [
      ...['--claims', 'claims.json', '--header', 'X-Tenant: a', 'x-tenant:b', '--query', 'page=2'],
      ...['--source', '10.1.2.3', '--risk', '39', '--chain', TARGET, '--time', '2025-12-31T23:59:59Z'],
    ];
    const allowed = await signet([...asked, ...said, '--size', '10'], { cwd });
    assert.deepEqual([allowed.status, allowed.stderr], [0, '']);
    const denied = JSON.parse((await signet([...asked, ...said, '--json'], { cwd })).stdout);
    assert.deepEqual(
      denied.nearest.unmet.map(({ attribute }: { attribute: string }) => attribute),
      ['size'],
    );
  });

  describe('a decision of the audit', () => {
    const asked = (id: string, ...more: string[]) =>
      signet(
        ['policy', 'explain', '--policy', 'good.json', '--audit', 'log.jsonl', '--decision', id, ...more],
        {
          cwd,
        },
      );
    before(async () => {
      const text = JSON.stringify([read, { ...read, name: 'draft', mode: 'dry-run' }]);
      const policy = compilePolicies(parsePolicies([{ file: 'f', text }]), parseSpiffeId(TARGET)).digest;
      await writeFile(join(cwd, 'log.jsonl'), logOf([{ policy }, { method: 'PUT', caller: 'anonymous' }]));
    });

    it('is judged again as it was recorded', async () => {
      const ran = await asked('run-0');
      assert.equal(ran.status, 0);
      assert.match(
        ran.stdout,
        new RegExp(
          `^log.jsonl:1: 2026-03-02T10:00:00.000Z allowed by read\ntarget ${TARGET}\nallowed by orders-read \\(application\\)\n`,
        ),
      );
    });

    it('by other policies than then: that is said', async () => {
      const ran = await asked('run-1');
      assert.equal(ran.status, 1);
      assert.match(
        ran.stdout,
        /^.*\nwarning: judged then by other policies \(other\), explained by these \([0-9a-f]{64}\)\n/,
      );
      const json = JSON.parse((await asked('run-1', '--json')).stdout);
      assert.deepEqual(
        [json.same_policy, json.missing, json.recorded.line, json.request.method],
        [...[false, [], 2, 'PUT']],
      );
    });

    it('no such decision, exit 1; a request beside it is wrong usage', async () => {
      assert.deepEqual(await asked('run-9'), {
        ...{ status: 1, stdout: 'no decision run-9 in log.jsonl\n', stderr: '' },
      });
      assert.equal((await asked('run-0', '--caller', WEB)).status, 2);
    });
  });

  for (const [what, args, message] of [
    ['no caller', ['--policy', 'good.json', '--method', 'GET', '--path', '/'], /--caller/],
    [
      'a caller that is no ID',
      [...request, '--method', 'GET', '--caller', 'web'],
      /--caller: not a SPIFFE ID/,
    ],
    ['a target that is no ID', [...request, '--method', 'GET', '--target', 'x'], /--target: not a SPIFFE ID/],
    [
      'a path with a query',
      [...request, '--method', 'GET', '--path', '/orders?x'],
      /--path: policy never sees "\/orders\?x"/,
    ],
    [
      'a risk that is no number',
      [...request, '--method', 'GET', '--risk', 'high'],
      /--risk: found "high", expected a number/,
    ],
    [
      'a source that is no address',
      [...request, '--method', 'GET', '--source', 'x'],
      /--source: found "x", expected an IP/,
    ],
    ['a header without a colon', [...request, '--method', 'GET', '--header', 'x'], /--header: a line is/],
    ['a user that is no JSON', [...request, '--method', 'GET', '--user', '{'], /--user: not JSON/],
    [
      'a user of unknown make',
      [...request, '--method', 'GET', '--user', '{"scope":"a"}'],
      /--user\/scope: found "scope"/,
    ],
    [
      'a user without a subject',
      [...request, '--method', 'GET', '--user', '{"scopes":["a"]}'],
      /--user: found what no sidecar takes \(sub is not a name\)/,
    ],
    ['a decision without an audit', ['--policy', 'good.json', '--decision', 'x'], /--audit is needed/],
  ] as [string, string[], RegExp][]) {
    it(`wrong usage, exit 2: ${what}`, async () => {
      const ran = await signet(['policy', 'explain', ...args], { cwd });
      assert.deepEqual([ran.status, ran.stdout], [2, '']);
      assert.match(ran.stderr, message);
    });
  }
});
