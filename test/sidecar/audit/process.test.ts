import assert from 'node:assert/strict';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { checkFiles, placed, readFolder } from '../../lib/audit/files.ts';
import { createStage, type Stage } from '../identity/stage.ts';
import { until } from '../sockets.ts';

describe('the audit of a sidecar process', () => {
  let stage: Stage;
  before(async () => {
    stage = await createStage();
  });
  after(() => stage[Symbol.asyncDispose]());

  it('goes on in a new file after somebody renamed the old one and sent SIGHUP, and on standard output as well', async () => {
    const folder = join(stage.dir, 'logs');
    await mkdir(folder);
    const file = join(folder, 'audit.jsonl');
    const sidecar = await stage.sidecar({
      SIGNET_AUDIT: `file:${file} -`,
      SIGNET_AUDIT_OPTIONS: 'rotate-age=1d',
    });
    await sidecar.waitForEvent('svid');
    await until(() => (readFolder(folder)['audit.jsonl'] ?? '').includes('"type":"svid"'));
    await rename(file, join(folder, 'audit.jsonl.1'));
    sidecar.send('SIGHUP');
    await sidecar.waitForEvent('audit_rotated');
    await until(() => (readFolder(folder)['audit.jsonl'] ?? '').includes('"type":"continued"'));
    assert.equal((await sidecar.stop()).code, 0);
    const report = checkFiles(readFolder(folder), { bundle: null });
    assert.deepEqual([placed(report), report.logs.length, report.end], [[], 1, 'closed']);
    const both = (await readFile(join(folder, 'audit.jsonl.1'), 'utf8')) + (await readFile(file, 'utf8'));
    assert.equal(sidecar.stdout(), both);
  }).timeout(30_000);

  it('does not start with options that do not fit its sinks', async () => {
    const sidecar = await stage.sidecar({ SIGNET_AUDIT: '-', SIGNET_AUDIT_OPTIONS: 'rotate-size=1m' });
    assert.equal((await sidecar.ended).code, 2);
    assert.match(sidecar.stderr(), /SIGNET_AUDIT_OPTIONS rotates a file, and SIGNET_AUDIT names none/);
  });
});
