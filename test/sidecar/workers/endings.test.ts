import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { startTraffic } from '../../e2e/traffic.ts';
import { until } from '../sockets.ts';
import { createWorkersStage, type Supervised, type WorkersStage } from './stage.ts';

const LANES = 8;

describe('several workers, when a process ends', function () {
  this.timeout(60_000);
  let stage: WorkersStage;
  let sidecar: Supervised;
  beforeEach(async () => {
    stage = await createWorkersStage();
    sidecar = await stage.start(2);
    await sidecar.ready();
  });
  afterEach(() => stage[Symbol.asyncDispose]());

  it('that was one of them: only what it had under way fails, and another takes its place', async () => {
    const traffic = startTraffic(sidecar.outbound);
    await until(() => stage.reached > 100);
    process.kill((await sidecar.pids()).get(2)!, 'SIGKILL');
    const died = await sidecar.waitForEvent('worker_died');
    assert.deepEqual([died['worker'], died['code'], died['signal']], [2, null, 'SIGKILL']);
    const served = stage.reached;
    await until(() => stage.reached > served + 100);
    const { '200': answered = 0, ...failed } = await traffic.stop();
    assert.ok(answered > 200);
    const count = Object.values(failed).reduce((sum, some) => sum + some, 0);
    assert.ok(count <= LANES, JSON.stringify(failed));

    await sidecar.waitForEvent(
      'ready',
      (line) => line !== sidecar.own('ready')[0] && line['worker'] === undefined,
    );
    const after = startTraffic(sidecar.outbound);
    const then = stage.reached;
    await until(() => stage.reached > then + 100);
    assert.deepEqual(Object.keys(await after.stop()), ['200']);
    assert.match((await sidecar.get('/metrics')).text, /^signet_worker_deaths_total 1$/m);
  });

  it('on SIGTERM it says so, waits for what is under way, and a second one ends all at once', async () => {
    const outcome = ask(sidecar.outbound, '/held');
    await until(() => stage.held.length === 1);
    const pids = [...(await sidecar.pids()).values()];
    sidecar.send('SIGTERM');
    await sidecar.waitForEvent('stopping', ({ worker }) => worker === undefined);
    const { status, text } = await sidecar.get('/readyz');
    assert.equal(status, 503);
    assert.ok(JSON.parse(text).missing.includes('stopping'));
    sidecar.send('SIGTERM');
    assert.deepEqual(await sidecar.ended, { code: 143, signal: null });
    assert.match(await outcome, /^E|socket hang up/);
    for (const pid of pids) await until(() => isGone(pid));
  });

  it('on a signal to all of them, as a terminal or systemd sends it: as if it had come to one', async () => {
    const outcome = ask(sidecar.outbound, '/held');
    await until(() => stage.held.length === 1);
    const pids = [...(await sidecar.pids()).values()];
    for (const pid of [...pids, sidecar.pid]) process.kill(pid, 'SIGTERM');
    await sidecar.waitForEvent('stopping', ({ worker }) => worker === undefined);
    stage.held[0]!.end('ordered');
    assert.equal(await outcome, '200 ordered');
    assert.deepEqual(await sidecar.ended, { code: 0, signal: null });
    assert.ok(!sidecar.logs().some(({ event }) => event === 'worker_died'));
  });

  it('that was the supervisor: its workers answer what is under way and end', async () => {
    const outcome = ask(sidecar.outbound, '/held');
    await until(() => stage.held.length === 1);
    const pids = [...(await sidecar.pids()).values()];
    sidecar.send('SIGKILL');
    await sidecar.waitForEvent('stopping', ({ reason }) => reason === 'orphaned');
    stage.held[0]!.end('ordered');
    assert.equal(await outcome, '200 ordered');
    // its log is open for as long as anybody has it
    assert.deepEqual(await sidecar.ended, { code: null, signal: 'SIGKILL' });
    for (const pid of pids) await until(() => isGone(pid));
    assert.equal(await ask(sidecar.outbound, '/'), 'ECONNREFUSED');
  });

  it('on SIGUSR2: a long answer is waited for', async () => {
    const outcome = ask(sidecar.outbound, '/held');
    await until(() => stage.held.length === 1);
    const restarted = sidecar.nextEvent('restarted', 30_000);
    sidecar.send('SIGUSR2');
    await sidecar.waitForEvent('stopping', ({ reason }) => reason === 'replaced');
    const again = await sidecar.post('/restart');
    assert.deepEqual(
      [again.status, JSON.parse(again.text)],
      [503, { ok: false, code: 'restarting', replaced: 0 }],
    );
    // longer than the outbound side has at an end
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    stage.held[0]!.end('ordered');
    assert.equal(await outcome, '200 ordered');
    await restarted;
  });
});

/** Its status and body, or the error's code. */
function ask(address: string, path: string): Promise<string> {
  const [host, port] = address.split(':');
  return new Promise((resolve) => {
    request({ host, port, path, agent: false, headers: { Host: 'orders' } }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      response.on('end', () => resolve(`${response.statusCode} ${body}`));
    })
      .on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      .end();
  });
}

/** Or has ended, and nobody has asked how yet. */
function isGone(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}
