import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mergeAuditKeys, readAuditKeys } from '../../cli/audit-keys-file.ts';
import { type Chain, countersignatureLine, createChain, statementBytes } from '../../lib/audit/index.ts';
import { InputError } from '../../lib/errors.ts';
import { bundleToJwks } from '../../lib/svid/index.ts';
import { at, decision, ID, type Signatory, signatory, wholeRun } from '../lib/audit/log.ts';
import { signet } from './signet.ts';

const LOG = 'L'.repeat(22);

describe('signet audit verify, of files and folders', () => {
  let cwd: string;
  let by: Signatory;
  let full: string;
  let present: string;
  let headOfFull: string;
  const vault = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'signet-files-'));
    by = await signatory();
    const chain: Chain = createChain();
    const now = () => at(chain.state.seq);
    const lines = [
      chain.append({ type: 'start', log: LOG }, now()).line,
      chain.append(decision(1), now()).line,
    ];
    lines.push(chain.rotate(by.signer, { log: LOG, file: 'a.jsonl.000000000000', next: 3 }, now()).line);
    full = lines.join('');
    headOfFull = chain.state.prev;
    const after = { file: 'a.jsonl.000000000000', seq: 2, sha256: headOfFull };
    const more = [
      chain.note('continued', { log: LOG, after }, now()).line,
      chain.append(decision(2), now()).line,
    ];
    more.push(chain.stop(by.signer, {}, now()).line);
    present = more.join('');
    await mkdir(join(cwd, 'logs/other'), { recursive: true });
    await writeFile(join(cwd, 'logs/a.jsonl'), present);
    await writeFile(join(cwd, 'logs/a.jsonl.000000000000'), full);
    await writeFile(join(cwd, 'logs/other/b.jsonl'), wholeRun(by.signer).join(''));
    await writeFile(join(cwd, 'logs/empty.jsonl'), '');
    const statement = { log: LOG, id: ID, seq: 2, hash: headOfFull, time: at(3).toISOString() };
    const sig = sign('sha256', statementBytes(statement), {
      key: vault.privateKey,
      dsaEncoding: 'ieee-p1363',
    });
    const line = countersignatureLine({ ...statement, key: 1, sig: sig.toString('base64url') });
    await writeFile(join(cwd, 'logs/a.jsonl.000000000000.countersigned'), line);
    await writeFile(join(cwd, 'keys.json'), JSON.stringify(document()));
  });
  after(() => rm(cwd, { recursive: true }));

  const document = (key = vault.publicKey) => ({
    format: 'signet-audit-keys-v1' as const,
    trust_domain: 'example.org',
    bundle: bundleToJwks(by.bundle),
    countersigning: { 1: key.export({ type: 'spki', format: 'pem' }).toString() },
  });
  const verify = (...args: string[]) => signet(['audit', 'verify', ...args], { cwd });

  it('a folder: every log in it, each over its files; what is begun and empty is passed over', async () => {
    assert.deepEqual(await verify('logs', '--keys', 'keys.json'), {
      status: 0,
      stdout: `4 files: 18 records verified, in 2 logs, 5 signatures by ${ID}, all end with a signed stop\n`,
      stderr: '',
    });
  });

  it('files in any order, countersigned', async () => {
    const ran = await verify('logs/a.jsonl', 'logs/a.jsonl.000000000000', '--keys', 'keys.json');
    assert.match(
      ran.stdout,
      /^2 files: 6 records verified, .*, countersigned up to record 2 at 2026-06-01T12:00:03/,
    );
  });

  it('a file that is not given, unless what came before it was verified earlier', async () => {
    const alone = await verify('logs/a.jsonl', '--keys', 'keys.json');
    assert.equal(alone.status, 1);
    assert.match(
      alone.stdout,
      /line 1 \(record 3\): missing_file: .*: records 0 to 2 are in files that are not here/,
    );
    assert.equal((await verify('logs/a.jsonl', '--keys', 'keys.json', '--after', headOfFull)).status, 0);
    assert.equal((await verify('logs/a.jsonl', '--after', 'abc')).status, 2);
  });

  it('what is wrong, by file, line and record', async () => {
    await writeFile(join(cwd, 'a.jsonl.000000000000'), full.replace('/orders/1', '/orders/9'));
    await writeFile(join(cwd, 'a.jsonl'), present.split('\n').toSpliced(1, 1).join('\n'));
    const ran = await verify('a.jsonl', 'a.jsonl.000000000000', '--keys', 'keys.json');
    assert.equal(ran.status, 1);
    assert.match(
      ran.stdout,
      /not verified: a\.jsonl\.000000000000 line 2 \(record 1\): edited: .* \(and 1 more\)/,
    );
    assert.match(ran.stdout, /\n {2}a\.jsonl line 2 \(record 5\): dropped: record 4 is missing before it\n$/);
  });

  it('countersignatures by none of the keys', async () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await writeFile(join(cwd, 'other.json'), JSON.stringify(document(other.publicKey)));
    const ran = await verify('logs', '--keys', 'other.json');
    assert.equal(ran.status, 1);
    assert.match(ran.stdout, /bad_countersignature: the countersignature of record 2 is of none of the keys/);
  });

  it('a stream of several processes, and of one that started anew', async () => {
    const marked = (worker: number, pid: number) => {
      const chain = createChain(undefined, { worker, pid });
      return [
        chain.append({ type: 'start', log: String(pid).repeat(22).slice(0, 22) }, at(0)).line,
        ...wholeRun(by.signer, chain),
      ];
    };
    const [one, two, again] = [marked(1, 11), marked(2, 22), marked(1, 33)];
    const unmarked = (log: string) => {
      const chain = createChain();
      return [chain.append({ type: 'start', log }, at(0)).line, ...wholeRun(by.signer, chain)];
    };
    const mixed = one.flatMap((line, i) => [line, two[i]!]).concat(again, unmarked('x'), unmarked('y'));
    const ran = await signet(['audit', 'verify', '-', '--keys', 'keys.json', '--json'], {
      cwd,
      input: mixed.join(''),
    });
    const report = JSON.parse(ran.stdout);
    assert.deepEqual([report.ok, report.logs.length, report.end], [true, 5, 'closed'], ran.stdout);
    const dropped = mixed.toSpliced(7, 1);
    const found = JSON.parse(
      (await signet(['audit', 'verify', '-', '--json'], { cwd, input: dropped.join('') })).stdout,
    ).findings;
    assert.deepEqual([found.length, found[0].kind, found[0].line], [1, 'dropped', 9]);
  });

  it('a large file, in memory that does not grow with it', async () => {
    const chain = createChain();
    const lines = [chain.append({ type: 'start', log: LOG }, at(0)).line];
    const path = '/orders/'.padEnd(300, 'x');
    for (let i = 0; i < 60_000; i++) {
      lines.push(chain.append({ type: 'decision', path }, at(i / 1_000)).line);
      if (i % 1_000 === 999) lines.push(chain.checkpoint(by.signer, at(i / 1_000)).line);
    }
    lines.push(chain.stop(by.signer, {}, at(61)).line);
    await writeFile(join(cwd, 'large.jsonl'), lines);
    const env = { NODE_OPTIONS: '--max-old-space-size=24' };
    const ran = await signet(['audit', 'verify', 'large.jsonl', '--keys', 'keys.json'], { cwd, env });
    assert.match(ran.stdout, /^large\.jsonl: 60062 records verified, /, ran.stderr);
  }).timeout(60_000);

  it('keys that are none: wrong usage', async () => {
    await writeFile(join(cwd, 'bad.json'), JSON.stringify({ ...document(), format: 'x' }));
    const ran = await verify('logs', '--keys', 'bad.json');
    assert.deepEqual([ran.status, ran.stdout], [2, '']);
    assert.equal((await verify('logs', '--keys', 'keys.json', '--bundle', 'keys.json')).status, 2);
    for (const text of [
      '',
      '{}',
      'null',
      JSON.stringify({ ...document(), countersigning: { 1: 'x' } }),
      '[]',
    ])
      assert.throws(() => readAuditKeys(text), InputError, text);
  });

  it('keys that are exported again stay known', async () => {
    const later = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = later.publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const newer = {
      ...document(),
      bundle: bundleToJwks((await signatory()).bundle),
      countersigning: { 2: pem },
    };
    const merged = readAuditKeys(JSON.stringify(mergeAuditKeys(document(), newer)));
    assert.deepEqual([merged.bundle.authorities.length, [...merged.countersigners.keys()]], [2, [1, 2]]);
    const again = readAuditKeys(JSON.stringify(mergeAuditKeys(document(), document())));
    assert.deepEqual([again.bundle.authorities.length, again.countersigners.size], [1, 1]);
  });
});
