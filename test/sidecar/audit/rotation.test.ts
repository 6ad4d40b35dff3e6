import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { type AuditReport, resumeFrom, type VerifyOptions } from '../../../lib/audit/index.ts';
import { type AuditWriter, openAudit } from '../../../sidecar/audit/index.ts';
import type { Rotation } from '../../../sidecar/audit/log-file.ts';
import { createCredentials } from '../../../sidecar/identity/credentials.ts';
import { checkFiles, placed, readFolder } from '../../lib/audit/files.ts';
import { seededRandom } from '../../support/der.ts';
import { until } from '../sockets.ts';
import { type Authority, authority, clock, credentialsFor, ORDERS, quiet, svid } from '../support.ts';

const FULL = /^audit\.jsonl\.\d{12}$/;
const EACH = 12;

describe('audit rotation', () => {
  let folder = '';
  let ca: Authority;
  let options: VerifyOptions;
  before(async () => {
    ca = await authority();
    const authorities = [ca.root.der];
    options = { bundle: { trustDomain: 'example.org', sequence: 1, refreshHintSeconds: null, authorities } };
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'signet-rotation-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const opened = async (rotation: Partial<Rotation> = {}): Promise<AuditWriter> =>
    openAudit({
      target: join(folder, 'audit.jsonl'),
      rotation: { bytes: 4_096, ageMs: null, keep: null, ...rotation },
      credentials: await credentialsFor(ca, ORDERS),
      ...{ clock, log: quiet, metrics: createMetrics() },
    });
  const fill = (audit: AuditWriter, records = 60) => {
    for (let i = 0; i < records; i++) audit.record({ type: 'decision', path: `/a/${i}` }, new Date());
  };
  /** One that waits for a rotation that is under way, so that each is made. */
  const fillSlowly = async (audit: AuditWriter, files: number) => {
    const full = () => Object.keys(readFolder(folder)).filter((name) => FULL.test(name)).length;
    const before = full();
    for (let want = before + 1; want <= before + files; want++) {
      for (let i = 0; full() < want && i < 1_000; i++) {
        fill(audit, 4);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    }
  };
  const verified = (): AuditReport => {
    const report = checkFiles(readFolder(folder), options);
    assert.deepEqual(placed(report), []);
    return report;
  };
  const typesIn = (name: string) =>
    readFileSync(join(folder, name), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));

  it('goes on over files: each ends signed and names itself, the next names its last record', async () => {
    await using audit = await opened();
    await fillSlowly(audit, 3);
    await audit.close(5_000);
    const files = readFolder(folder);
    const names = Object.keys(files);
    assert.equal(names.filter((name) => FULL.test(name)).length, names.length - 1);
    assert.ok(names.length >= 4);
    const [oldest = ''] = names.filter((name) => FULL.test(name));
    const [end, start] = [
      typesIn(oldest).at(-1),
      typesIn(names.filter((name) => FULL.test(name))[1] ?? '')[0],
    ];
    assert.deepEqual(
      [end.type, end.file, typeof end.sig, start.type],
      ['rotated', oldest, 'string', 'continued'],
    );
    assert.deepEqual([start.after.file, start.after.seq, start.after.sha256], [oldest, end.seq, start.prev]);
    const report = verified();
    assert.deepEqual([report.logs.length, report.end, report.head], [1, 'closed', audit.head.hash]);
  });

  it('goes on after restarts, in the file that is not full yet', async () => {
    for (let run = 0; run < 4; run++) {
      await using audit = await opened();
      await fillSlowly(audit, 1);
    }
    const report = verified();
    assert.deepEqual([report.logs.length, report.end], [1, 'closed']);
  });

  it('deletes the oldest where a bound is set, and only then; the log says which, and verifies', async () => {
    {
      await using audit = await opened();
      await fillSlowly(audit, 4);
    }
    assert.equal(verified().removed, 0);
    await using audit = await opened({ keep: 2 });
    await fillSlowly(audit, 0);
    await audit.close(5_000);
    const names = Object.keys(readFolder(folder)).filter((name) => FULL.test(name));
    assert.equal(names.length, 2);
    const report = verified();
    assert.equal(report.removed, Number(names[0]!.slice(-EACH)));
    unlinkSync(join(folder, names[0]!));
    assert.deepEqual(placed(checkFiles(readFolder(folder), options)), [`missing_file ${names[1]} 1`]);
  });

  it('tells files that its bound deleted from those that somebody else did, who then wrote that it was the bound', async () => {
    {
      await using audit = await opened();
      await fillSlowly(audit, 3);
    }
    const [first = '', second = ''] = Object.keys(readFolder(folder)).filter((name) => FULL.test(name));
    const present = join(folder, 'audit.jsonl');
    const { chain } = resumeFrom(readFileSync(present), new Date());
    const forged = { file: first, from: 0, to: Number(second.slice(-EACH)) - 1 };
    appendFileSync(present, chain.note('removed', forged, new Date()).line);
    unlinkSync(join(folder, first));
    assert.deepEqual(placed(checkFiles(readFolder(folder), options)), [`missing_file ${second} 1`]);
  });

  it('rotates by age, but not what has nothing in it', async () => {
    await using audit = await opened({ bytes: null, ageMs: 1 });
    await fillSlowly(audit, 2);
    await audit.close(5_000);
    assert.equal(verified().logs.length, 1);
  });

  it('does not rotate while it cannot sign, and does when it can', async () => {
    const credentials = createCredentials();
    const target = join(folder, 'audit.jsonl');
    const rotation = { bytes: 4_096, ageMs: null, keep: null };
    const deps = { target, rotation, credentials, clock, log: quiet, metrics: createMetrics() };
    await using audit = await openAudit(deps);
    fill(audit, 200);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(Object.keys(readFolder(folder)), ['audit.jsonl']);
    credentials.publish(await svid(ca.issuer, ca.root, ORDERS));
    await until(() => Object.keys(readFolder(folder)).length === 2);
    await audit.close(5_000);
    verified();
  });

  it('begins another file when somebody has moved the one it has', async () => {
    await using audit = await opened({ bytes: null });
    fill(audit);
    await audit.reopen();
    await until(() => (readFolder(folder)['audit.jsonl'] ?? '').length > 4_096);
    assert.deepEqual(Object.keys(readFolder(folder)), ['audit.jsonl']);
    renameSync(join(folder, 'audit.jsonl'), join(folder, 'audit.jsonl.1'));
    fill(audit);
    await audit.reopen();
    fill(audit);
    await audit.close(5_000);
    assert.deepEqual(Object.keys(readFolder(folder)), ['audit.jsonl', 'audit.jsonl.1']);
    assert.equal(typesIn('audit.jsonl.1').at(-1).type, 'rotated');
    assert.deepEqual([verified().logs.length, verified().end], [1, 'closed']);
  });

  it('writes over no file that is there already: it accepts nothing until somebody looks', async () => {
    await using audit = await opened();
    await until(() => readFolder(folder)['audit.jsonl'] !== '');
    writeFileSync(join(folder, 'audit.jsonl.000000000000'), 'something else\n');
    fill(audit, 100);
    await until(() => !audit.accepting);
    assert.equal(readFileSync(join(folder, 'audit.jsonl.000000000000'), 'utf8'), 'something else\n');
    unlinkSync(join(folder, 'audit.jsonl.000000000000'));
    await until(() => audit.accepting);
    await audit.close(5_000);
    verified();
  });

  describe('after a crash', () => {
    /** What was there right before and right after a rotation. */
    const oneRotation = async () => {
      {
        await using audit = await opened();
        await fillSlowly(audit, 1);
      }
      const names = Object.keys(readFolder(folder));
      const last = names.filter((name) => FULL.test(name)).at(-1) ?? '';
      return { last, whole: readFileSync(join(folder, last), 'utf8') };
    };
    const active = () => join(folder, 'audit.jsonl');

    for (const [step, make] of [
      [
        'in the middle of the record that ends the file',
        (whole) => writeFileSync(active(), whole.slice(0, -100)),
      ],
      ['before the line break of that record', (whole) => writeFileSync(active(), whole.slice(0, -1))],
      ['before the file is put away', (whole) => writeFileSync(active(), whole)],
      ['before the next file is made', (whole, full) => writeFileSync(full, whole)],
      [
        'before anything is written to the next file',
        (whole, full) => {
          writeFileSync(full, whole);
          writeFileSync(active(), '');
        },
      ],
      [
        'in the middle of the first record of the next file',
        (whole, full) => {
          writeFileSync(full, whole);
          writeFileSync(active(), '{"seq":17,"time":"2026-');
        },
      ],
    ] as [string, (whole: string, full: string) => void][]) {
      it(`${step}, the log goes on and verifies`, async () => {
        const { last, whole } = await oneRotation();
        for (const name of ['audit.jsonl', last]) unlinkSync(join(folder, name));
        make(whole, join(folder, last));
        {
          await using audit = await opened({ bytes: null });
          fill(audit, 3);
        }
        const report = verified();
        assert.deepEqual([report.logs.length, report.end], [1, 'closed']);
        assert.deepEqual(
          Object.keys(readFolder(folder)).filter((name) => FULL.test(name)).length,
          step.startsWith('in the middle of the record that') ? 0 : 1,
        );
      });
    }

    it('what a killed process leaves verifies, and so does what comes after it', async () => {
      const random = seededRandom(5);
      const writer = fileURLToPath(new URL('rotating-writer.ts', import.meta.url));
      for (let kill = 0; kill < 6; kill++) {
        const child: ChildProcess = spawn(process.execPath, [writer, join(folder, 'audit.jsonl')], {
          stdio: ['pipe', 'pipe', 'inherit'],
        });
        let said = '';
        child.stdout?.on('data', (chunk) => {
          said += chunk;
        });
        await until(() => said.endsWith('\n'));
        await new Promise((resolve) => setTimeout(resolve, 30 + random() * 150));
        child.kill('SIGKILL');
        await once(child, 'exit');
        const report = checkFiles(readFolder(folder), { bundle: null });
        // killed within a write, it leaves a line cut off, which its next start records
        assert.ok(report.findings.length <= 1, `after kill ${kill}`);
        const others = report.findings.filter((finding) => finding.kind !== 'cut_off');
        assert.deepEqual(others, [], `after kill ${kill}`);
        assert.equal(report.logs.length, 1);
      }
      const { records, logs } = checkFiles(readFolder(folder), { bundle: null });
      assert.ok(records > 100 && Object.keys(readFolder(folder)).length > 3, `${records}`);
      assert.equal(logs.length, 1);
    });
  });
});
