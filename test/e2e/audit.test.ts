import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild } from '../../harness/child.ts';
import { type LoggingProcess, runProcess } from '../../harness/processes.ts';
import { until } from '../broker/site.ts';
import { createWorld, type Registered, SHORT_TTL, type World } from './world.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('an audit that the broker collects', () => {
  let world: World;
  let orders: Registered;
  let collected: string;
  let keys: string;
  before(async () => {
    world = await createWorld();
    collected = join(world.dir, 'collected');
    keys = join(world.dir, 'keys.json');
    orders = await world.register('orders', { ttl: SHORT_TTL });
    await world.broker.stop();
    await world.startBroker({ SIGNET_AUDIT_DIR: collected });
    await signet(['audit', 'keys', 'export', '--out', keys], environment());
  });
  after(() => world?.[Symbol.asyncDispose]());

  const environment = () => {
    const { SIGNET_TRUST_DOMAIN, SIGNET_BROKER_URL, SIGNET_BROKER_CA } = world.environment(orders);
    return { SIGNET_TRUST_DOMAIN, SIGNET_BROKER_URL, SIGNET_BROKER_CA } as Record<string, string>;
  };
  const signet = async (args: string[], env: Record<string, string> = {}, code = 0) => {
    const ran = await runProcess({ args, env });
    assert.equal(ran.code, code, ran.stdout + ran.stderr);
    return ran.stdout;
  };
  const verify = async (paths: string[], code = 0) =>
    JSON.parse(await signet(['audit', 'verify', ...paths, '--keys', keys, '--json'], {}, code));
  const statusOf = async (sidecar: LoggingProcess) => {
    const answer = await fetch(`http://${await sidecar.addressOf('admin')}/status`);
    return (
      (await answer.json()) as { audit: { head: { records: number }; collected: { acknowledged: number } } }
    ).audit;
  };
  const caughtUp = (sidecar: LoggingProcess, least: number) =>
    until(async () => {
      const { head, collected } = await statusOf(sidecar);
      return head.records >= least && collected.acknowledged === head.records;
    });
  const filesIn = async (folder: string) =>
    (await readdir(folder, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));

  it('has the same log as the file, over rotations of the SVID and restarts of either side', async () => {
    const file = join(world.dir, 'orders-audit.jsonl');
    const env = { SIGNET_AUDIT: `file:${file} broker` };
    const first = await world.sidecar(orders, env);
    await first.waitForEvent('svid', ({ rotation }) => rotation === 1, 20_000);
    await caughtUp(first, 4);
    await world.broker.kill();
    await world.broker.ended;
    await first.stop();
    await world.startBroker({ SIGNET_AUDIT_DIR: collected });
    const second = await world.sidecar(orders, env);
    await second.waitForEvent('svid');
    await caughtUp(second, 6);
    await second.stop();
    const [copy = ''] = (await filesIn(collected)).filter((name) => name.endsWith('.jsonl'));
    assert.equal(await readFile(copy, 'utf8'), await readFile(file, 'utf8'));
    const report = await verify([file]);
    assert.deepEqual([report.end, report.logs.length, report.signers], ['closed', 1, [orders.id]]);
    await until(async () => (await verify([collected])).countersigned?.seq === report.records - 1);
    assert.equal((await verify([collected])).head, report.head);
  }).timeout(90_000);

  it('is verified by the commands of docs/audit.md, as they stand there', async () => {
    const text = await readFile(join(root, 'docs/audit.md'), 'utf8');
    const blocks = [...text.matchAll(/^```sh test\n([\s\S]*?)^```$/gm)].map(([, block]) => block!);
    assert.equal(blocks.length, 3);
    await mkdir(join(world.dir, 'bin'), { recursive: true });
    const launcher = join(world.dir, 'bin', 'signet');
    await writeFile(
      launcher,
      `#!/bin/sh\nexec "${process.execPath}" "${join(root, 'bin/signet.mjs')}" "$@"\n`,
    );
    await chmod(launcher, 0o755);
    await copyFile(join(world.dir, 'orders-audit.jsonl'), join(world.dir, 'audit.jsonl'));
    const shell = await startChild('bash', ['-euo', 'pipefail', '-c', blocks.join('\n')], {
      cwd: world.dir,
      env: { PATH: `${join(world.dir, 'bin')}:${process.env['PATH']}`, ...environment() },
    });
    shell.stdin.end();
    const { code } = await shell.ended;
    assert.equal(code, 0, shell.stdout() + shell.stderr());
    const said = shell.stdout();
    assert.match(said, /^1 authorities, 1 countersigning keys$/m);
    assert.match(
      said,
      /^audit\.jsonl: \d+ records verified, .* ends with a signed stop, head [0-9a-f]{64}$/m,
    );
    assert.match(said, /^2 files: |^collected: \d+ records verified, .* countersigned up to record \d+ at /m);
    assert.match(said, / svid id=spiffe:\/\/example\.org\/ns\/shop\/sa\/orders /);
    assert.match(said, /^\{"seq":\d+,.*"type":"stop"/m);
  }).timeout(60_000);

  it('alone: what a killed sidecar had sent is there, and verifies as one that goes on', async () => {
    const before = (await filesIn(collected)).length;
    const sidecar = await world.sidecar(await world.register('stock'), { SIGNET_AUDIT: 'broker' });
    await sidecar.waitForEvent('svid');
    // the first checkpoint comes after ten seconds
    await caughtUp(sidecar, 3);
    await sidecar.kill();
    await sidecar.ended;
    assert.ok((await filesIn(collected)).length > before);
    const report = await verify([collected]);
    assert.deepEqual(report.logs.map(({ end }: { end: string }) => end).sort(), ['closed', 'open']);
  }).timeout(60_000);
});
