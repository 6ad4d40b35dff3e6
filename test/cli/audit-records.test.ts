import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditFiles, decisionsOf } from '../../cli/audit-records.ts';
import { createChain } from '../../lib/audit/index.ts';
import { at, ID } from '../lib/audit/log.ts';
import { signet } from './signet.ts';

const decision = (id: string, path: string) => ({
  ...{ type: 'decision', id, effect: 'allow', rule: 'r', level: 'application', caller: ID, serial: '01' },
  ...{ method: 'GET', path, policy: 'd' },
});

describe('reading audit records', () => {
  let cwd: string;
  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'signet-records-'));
    const chain = createChain();
    const line = (event: { type: string }) => chain.append(event, at(0)).line;
    const first = [
      line({ type: 'start' }),
      line(decision('a-0', '/x')),
      'rubbish\n',
      line(decision('a-1', '/y')),
    ];
    await writeFile(join(cwd, 'one.jsonl'), first.join(''));
    await mkdir(join(cwd, 'more'));
    const end = { type: 'end', id: 'a-1', caller: ID, received: 3 };
    await writeFile(join(cwd, 'more/two.jsonl'), line(end) + line(decision('a-2', '/\u001b[2J')));
    await writeFile(join(cwd, 'more/two.jsonl.countersigned'), 'not a log\n');
  });
  after(() => rm(cwd, { recursive: true }));

  it('decisions of all files as a stream, with file and line; folders hold files, and countersignatures are none', async () => {
    const files = await auditFiles([join(cwd, 'one.jsonl'), join(cwd, 'more')]);
    assert.deepEqual(files, [join(cwd, 'one.jsonl'), join(cwd, 'more/two.jsonl')]);
    const found = [];
    for await (const { line, record } of decisionsOf(files)) found.push([line, record.id, record.path]);
    assert.deepEqual(found, [
      [2, 'a-0', '/x'],
      [4, 'a-1', '/y'],
      [2, 'a-2', '/\u001b[2J'],
    ]);
  });

  it('signet audit find: a decision and its end, for people and as JSON; exit 1 for none', async () => {
    const plain = await signet(['audit', 'find', 'a-1', '.'], { cwd });
    assert.match(plain.stdout, /^more\/two\.jsonl:1\n {2}seq 3\n[\s\S]*one\.jsonl:4\n[\s\S]* {2}path \/y\n/);
    const json = JSON.parse((await signet(['audit', 'find', 'a-1', '.', '--json'], { cwd })).stdout);
    assert.deepEqual(
      json.map(({ record }: { record: { type: string } }) => record.type),
      ['end', 'decision'],
    );
    assert.deepEqual(await signet(['audit', 'find', 'b', '.'], { cwd }), {
      ...{ status: 1, stdout: 'no record of b\n', stderr: '' },
    });
  });

  it('signet audit show: one record to a line, by type; what a stranger sent moves no cursor', async () => {
    const { stdout } = await signet(['audit', 'show', 'more', '--type', 'decision'], { cwd });
    assert.match(stdout, /^2026-06-01T12:00:00\.000Z 4 decision id=a-2 .* path="\/\\u001b\[2J" policy=d\n$/);
    const raw = await signet(['audit', 'show', 'one.jsonl', '--json'], { cwd });
    assert.equal(raw.stdout.trim().split('\n').length, 3);
    const missing = await signet(['audit', 'show', 'nowhere'], { cwd });
    assert.deepEqual([missing.status, missing.stderr], [2, 'error: cannot read nowhere: ENOENT\n']);
  });
});
