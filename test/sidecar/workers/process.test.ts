import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProcess } from '../../../harness/processes.ts';
import { startTraffic } from '../../e2e/traffic.ts';
import { until } from '../sockets.ts';
import { createWorkersStage, type Supervised, type WorkersStage } from './stage.ts';

describe('several workers', function () {
  this.timeout(60_000);
  let stage: WorkersStage;
  beforeEach(async () => {
    stage = await createWorkersStage();
  });
  afterEach(() => stage[Symbol.asyncDispose]());

  it('share what comes, and are asked through one admin listener', async () => {
    const sidecar = await stage.start(2, { SIGNET_HEALTH: '127.0.0.1:0' });
    await sidecar.ready();
    const traffic = startTraffic(sidecar.outbound);
    await until(() => stage.reached > 100);
    assert.deepEqual(Object.keys(await traffic.stop()), ['200']);
    // decisions are counted now and then
    const served = (text: string) =>
      [1, 2].every((n) => new RegExp(`^signet_decisions_total\\{worker="${n}",.*\\} [1-9]`, 'm').test(text));
    let text = '';
    while (!served(text)) text = (await sidecar.get('/metrics')).text;
    assert.match(text, /^signet_workers 2$/m);
    const types = text.match(/^# TYPE \S+/gm) ?? [];
    assert.equal(new Set(types).size, types.length, 'each family once');

    assert.deepEqual(JSON.parse((await sidecar.get('/readyz')).text), { ready: true, missing: [] });
    assert.equal((await sidecar.get('/healthz')).status, 200);
    assert.equal((await fetch(`http://${await sidecar.addressOf('health')}/readyz`)).status, 200);
    const { workers } = JSON.parse((await sidecar.get('/status')).text);
    assert.deepEqual(
      workers.map(({ worker }: { worker: number }) => worker),
      [1, 2],
    );
    const serials = new Set(workers.map((each: { identity: { serial: string } }) => each.identity.serial));
    assert.equal(serials.size, 2, 'each has its own SVID');
    for (const each of workers)
      assert.deepEqual(each.hardening, { not_dumpable: 'on', debugger: 'closed' }, 'in each of them');
  });

  it('all renew on SIGHUP and when the admin is asked to', async () => {
    const sidecar = await stage.start(2);
    await sidecar.ready();
    sidecar.send('SIGHUP');
    for (const number of [1, 2])
      await sidecar.waitForEvent('svid', ({ worker, rotation }) => worker === number && rotation === 1);
    const { status, text } = await sidecar.post('/rotate');
    assert.equal(status, 200);
    const { ok, workers } = JSON.parse(text);
    assert.equal(ok, true);
    assert.equal(new Set(workers.map(({ serial }: { serial: string }) => serial)).size, 2);
  });

  it('keep an audit each, which goes on in whoever has the number next', async () => {
    const sidecar = await stage.start(2);
    await sidecar.ready();
    const traffic = startTraffic(sidecar.outbound);
    await until(() => stage.reached > 50);
    const { status, text } = await sidecar.post('/restart');
    assert.deepEqual([status, JSON.parse(text)], [200, { ok: true, replaced: 2 }]);
    assert.deepEqual(Object.keys(await traffic.stop()), ['200']);
    assert.deepEqual([...(await sidecar.pids()).keys()].sort(), [1, 3]);
    await sidecar.stop();
    for (const file of ['audit.jsonl', 'audit.jsonl.2', 'audit.jsonl.3'])
      assert.match(await verified(join(stage.dir, file)), /decisions?|records?/);
    const starts = (await readFile(join(stage.dir, 'audit.jsonl'), 'utf8')).match(/"type":"start"/g);
    assert.equal(starts?.length, 2, 'the same file, by two processes one after the other');
  });

  it('write whole lines to standard output, each with whose it is', async () => {
    const sidecar = await stage.start(2, { SIGNET_AUDIT: '-' });
    await sidecar.ready();
    const traffic = startTraffic(sidecar.outbound);
    await until(() => stage.reached > 100);
    await traffic.stop();
    const pids = [...(await sidecar.pids()).values()];
    await sidecar.stop();
    const lines = sidecar.stdout().trim().split('\n');
    let found = 0;
    for (const pid of pids) {
      const own = lines.filter((line) => line.includes(`"pid":${pid},`));
      const file = join(stage.dir, `${pid}.jsonl`);
      await writeFile(file, `${own.join('\n')}\n`);
      await verified(file);
      found += own.length;
    }
    assert.equal(found, lines.length, 'every line is of one of them');
  });

  it('hold no secret in arguments or environment', async () => {
    const sidecar = await stage.start(2, { VAULT_TOKEN: 'hvs.forgotten-by-somebody' });
    await sidecar.ready();
    for (const pid of (await sidecar.pids()).values()) {
      const [words, environment] = await Promise.all(
        ['cmdline', 'environ'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8')),
      );
      assert.match(words!, /sidecar\/main\.ts\0worker\0[12]\0$/);
      assert.doesNotMatch(environment!, /hvs\./);
    }
  });

  it('are started again, later each time, when they cannot start, and serve once they can', async () => {
    const place = join(stage.dir, 'later');
    const sidecar = await stage.start(2, { SIGNET_AUDIT: join(place, 'audit.jsonl') });
    const deaths = () => sidecar.logs().filter(({ event }) => event === 'worker_died');
    await until(() => deaths().length >= 4);
    const { status, text } = await sidecar.get('/readyz');
    assert.deepEqual([status, JSON.parse(text).ready], [503, false]);
    assert.ok(JSON.parse(text).missing.length > 0);
    assert.match((await sidecar.get('/metrics')).text, /^signet_worker_deaths_total ([4-9]|\d\d)$/m);
    const waits = deaths().map((line) => Number(line['again_in_ms']));
    assert.ok(waits.every((ms) => ms >= 250 && ms <= 30_000));
    for (const line of sidecar.own('worker_died'))
      assert.deepEqual([line['code'], line['signal']], [1, null]);
    assert.deepEqual(stage.broker.asked, [], 'no evidence was shown');
    await mkdir(place);
    await sidecar.ready();
    assert.equal((await sidecar.get('/readyz')).status, 200);
  });

  it('stay when those that are to replace them cannot serve', async () => {
    const sidecar = await stage.start(2);
    await sidecar.ready();
    const before = await sidecar.pids();
    await mkdir(join(stage.dir, 'audit.jsonl.3'));
    const { status, text } = await sidecar.post('/restart');
    assert.deepEqual([status, JSON.parse(text)], [503, { ok: false, code: 'worker_not_ready', replaced: 0 }]);
    assert.deepEqual(await sidecar.pids(), before);
    assert.equal((await sidecar.get('/readyz')).status, 200);
    const { text: metrics } = await sidecar.get('/metrics');
    assert.match(metrics, /^signet_worker_restarts_total\{result="given_up"\} 1$/m);
  });

  it('are not what a user starts, or a web page', async () => {
    const direct = await runProcess({ args: ['sidecar', 'worker', '1'] });
    assert.deepEqual([direct.code, direct.stdout], [2, '']);
    const sidecar: Supervised = await stage.start(2);
    const response = await fetch(`http://${sidecar.admin}/restart`, {
      method: 'POST',
      headers: { Origin: 'http://evil.example' },
    });
    assert.equal(response.status, 403);
  });
});

/** What `signet audit verify` says of a file in which it finds nothing wrong. */
async function verified(file: string): Promise<string> {
  const { code, stdout, stderr } = await runProcess({ args: ['audit', 'verify', file] });
  assert.equal(code, 0, `${stdout}${stderr}`);
  return stdout;
}
