import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleToJwks } from '../../lib/svid/index.ts';
import { ID, signatory, wholeRun } from '../lib/audit/log.ts';
import { signet } from './signet.ts';

describe('signet audit verify', () => {
  let cwd: string;
  let lines: string[];
  let head: string;
  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'signet-cli-'));
    const by = await signatory();
    lines = wholeRun(by.signer);
    await writeFile(join(cwd, 'audit.jsonl'), lines.join(''));
    await writeFile(join(cwd, 'open.jsonl'), lines.slice(0, 6).join(''));
    await writeFile(join(cwd, 'tampered.jsonl'), lines.join('').replace('/orders/2', '/orders/3'));
    await writeFile(join(cwd, 'bundle.json'), JSON.stringify(bundleToJwks(by.bundle)));
    await writeFile(join(cwd, 'ca.pem'), by.ca.pem);
    await writeFile(join(cwd, 'other.pem'), (await signatory()).ca.pem);
    head = JSON.parse((await signet(['audit', 'verify', 'audit.jsonl', '--json'], { cwd })).stdout).head;
  });
  after(() => rm(cwd, { recursive: true }));

  it('a sound log in one line, exit 0; authorities as SPIFFE bundle or PEM', async () => {
    for (const bundle of ['bundle.json', 'ca.pem']) {
      const ran = await signet(['audit', 'verify', 'audit.jsonl', '--bundle', bundle, '--expect-id', ID], {
        cwd,
      });
      assert.deepEqual(ran, {
        status: 0,
        stdout: `audit.jsonl: 12 records verified, 3 signatures by ${ID}, ends with a signed stop, head ${head}\n`,
        stderr: '',
      });
    }
  });

  it('a log from standard input, as JSON', async () => {
    const ran = await signet(['audit', 'verify', '-', '--json', '--bundle', 'ca.pem'], {
      cwd,
      input: lines.join(''),
    });
    const report = JSON.parse(ran.stdout);
    assert.deepEqual([report.ok, report.records, report.end, report.anchored], [true, 12, 'closed', true]);
  });

  it('one altered byte is found and its line named, exit 1', async () => {
    const ran = await signet(['audit', 'verify', 'tampered.jsonl', '--bundle', 'bundle.json'], { cwd });
    assert.equal(ran.status, 1);
    assert.match(ran.stdout, /^tampered\.jsonl: 12 records, not verified: line 3 \(record 2\): edited: /);
  });

  it('says that an open end may have been cut, and finds the cut by the head', async () => {
    const open = await signet(['audit', 'verify', 'open.jsonl', '--bundle', 'bundle.json'], { cwd });
    assert.equal(open.status, 0);
    assert.match(open.stdout, /ends at checkpoint 5, open, head [0-9a-f]{64}\n$/);
    const cut = await signet(
      ['audit', 'verify', 'open.jsonl', '--bundle', 'bundle.json', '--expect-head', head],
      { cwd },
    );
    assert.equal(cut.status, 1);
    assert.match(cut.stdout, /line 6: cut_off: /);
  });

  it('says when signers were not checked, and refuses those of another CA', async () => {
    assert.match(
      (await signet(['audit', 'verify', 'audit.jsonl'], { cwd })).stdout,
      /not checked, no bundle given/,
    );
    const ran = await signet(['audit', 'verify', 'audit.jsonl', '--bundle', 'other.pem'], { cwd });
    assert.equal(ran.status, 1);
  });

  for (const [what, args, message] of [
    ['no file', [], /missing required argument/],
    ['a file that is not there', ['nowhere'], /cannot read nowhere: ENOENT/],
    ['a bundle that is not there', ['audit.jsonl', '--bundle', 'nowhere'], /cannot read nowhere: ENOENT/],
    ['a bundle that is none', ['audit.jsonl', '--bundle', 'audit.jsonl'], /--bundle: /],
    ['a head that is none', ['audit.jsonl', '--expect-head', 'abc'], /--expect-head: not a hex SHA-256/],
    ['an ID that is none', ['audit.jsonl', '--expect-id', 'web'], /--expect-id: not a SPIFFE ID/],
  ] as [string, string[], RegExp][]) {
    it(`wrong usage, exit 2: ${what}`, async () => {
      const ran = await signet(['audit', 'verify', ...args], { cwd });
      assert.deepEqual([ran.status, ran.stdout], [2, '']);
      assert.match(ran.stderr, message);
    });
  }
});
