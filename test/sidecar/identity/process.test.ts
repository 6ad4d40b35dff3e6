import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { startChild } from '../../../harness/child.ts';
import { runProcess } from '../../../harness/processes.ts';
import { formatJoinCode } from '../../../lib/attestation/index.ts';
import { Secret } from '../../../lib/secret.ts';
import { createCa } from '../../support/ca.ts';
import { createStage, type Stage } from './stage.ts';

const main = fileURLToPath(new URL('../../../sidecar/main.ts', import.meta.url));
const SERVICE = { SIGNET_MODE: 'service', SIGNET_INBOUND: '127.0.0.1:0->127.0.0.1:9' };

describe('the sidecar process', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await createStage();
  });
  afterEach(() => stage[Symbol.asyncDispose]());

  it('shows its variables, and refuses arguments', async () => {
    const help = await runProcess({ args: ['sidecar', '--help'] });
    assert.equal(help.code, 0);
    assert.match(help.stdout, /SIGNET_BROKER_URL/);
    const wrong = await runProcess({ args: ['sidecar', '--verbose'] });
    assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
  });

  it('tells all that is wrong with its environment, and ends with 2', async () => {
    const { code, stderr } = await runProcess({ args: ['sidecar'], env: { SIGNET_ATTEST: 'hvs.secret' } });
    assert.equal(code, 2);
    for (const name of ['SIGNET_TRUST_DOMAIN', 'SIGNET_BROKER_URL', 'SIGNET_BROKER_CA', 'SIGNET_ATTEST'])
      assert.match(stderr, new RegExp(`^signet sidecar: ${name} `, 'm'));
    assert.doesNotMatch(stderr, /hvs\.|\n {4}at /);
  });

  it('becomes ready, and ends with 0 on SIGTERM, its audit closed', async () => {
    const sidecar = await stage.sidecar();
    const svid = await sidecar.waitForEvent('svid');
    assert.equal(svid['spiffe_id'], 'spiffe://example.org/ns/shop/sa/orders');
    await sidecar.waitForEvent('ready');
    assert.deepEqual(await sidecar.stop(), { code: 0, signal: null });
    const records = (await readFile(join(stage.dir, 'audit.jsonl'), 'utf8')).trim().split('\n');
    const types = records.map((line) => JSON.parse(line).type);
    assert.deepEqual([types[0], types.at(-1)], ['start', 'stop']);
    assert.ok(types.includes('svid'));
  });

  it('writes nothing but JSON lines', async () => {
    const sidecar = await stage.sidecar({ SIGNET_LOG_LEVEL: 'debug' });
    await sidecar.waitForEvent('ready');
    await sidecar.stop();
    for (const line of sidecar.stderr().trim().split('\n'))
      assert.equal(typeof JSON.parse(line).event, 'string');
    assert.equal(sidecar.stdout(), '');
  });

  it('takes a join code from standard input', async () => {
    const code = formatJoinCode({ entry: 'acme/shop/orders', id: 'j1', wrappingToken: new Secret('hvs.j1') });
    const sidecar = await stage.sidecar({ SIGNET_ATTEST: 'join:-' }, { input: `${code}\n` });
    await sidecar.waitForEvent('ready');
    assert.equal(stage.broker.asked.find(({ path }) => path === '/v1/attest')?.body.evidence.code, code);
    sidecar.send('SIGHUP');
    await sidecar.waitForEvent('svid', ({ rotation }) => rotation === 1);
    assert.equal(stage.broker.asked.at(-1)?.body.method, 'svid');
  });

  for (const [what, more] of [
    ['an audit that cannot be written', { SIGNET_AUDIT: '/nonexistent/audit.jsonl' }],
    [
      'an address that is taken',
      { SIGNET_MODE: 'service', SIGNET_UPSTREAMS: 'a=b:1#spiffe://example.org/a' },
    ],
  ] as const) {
    it(`ends with 1 over ${what}, before any evidence is shown`, async () => {
      const taken = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => taken.once('listening', resolve));
      const { port } = taken.address() as { port: number };
      const address = 'SIGNET_UPSTREAMS' in more ? { SIGNET_OUTBOUND: `127.0.0.1:${port}` } : {};
      const sidecar = await stage.sidecar({ ...more, ...address });
      assert.equal((await sidecar.ended).code, 1);
      assert.ok(sidecar.logs().some(({ event }) => event === 'failed'));
      assert.deepEqual(stage.broker.asked, []);
      taken.close();
    });
  }

  it('is not ready with policies it does not understand, and becomes so when they are mended', async () => {
    const file = join(stage.dir, 'policy.json');
    await writeFile(file, '{"policies": [{"name": 1}]}');
    const sidecar = await stage.sidecar({ ...SERVICE, SIGNET_POLICY_FILE: file });
    const admin = await sidecar.addressOf('admin');
    await sidecar.waitForEvent('svid');
    const refused = await sidecar.waitForEvent('policy_refused');
    assert.ok(Array.isArray(refused['defects']));
    const unready = await fetch(`http://${admin}/readyz`);
    assert.equal(unready.status, 503);
    assert.ok(((await unready.json()) as { missing: string[] }).missing.includes('policy'));
    await writeFile(file, '[]');
    await sidecar.waitForEvent('ready');
    assert.equal((await fetch(`http://${admin}/readyz`)).status, 200);

    await writeFile(file, '[{');
    await sidecar.waitForEvent('policy_refused', (line) => line['kept'] !== null);
    assert.equal((await fetch(`http://${admin}/readyz`)).status, 200, 'the last good policies stay');
    const status = (await (await fetch(`http://${admin}/status`)).json()) as { policy: { stale: boolean } };
    assert.equal(status.policy.stale, true);
  });

  it('rotates and reads its policies again on SIGHUP', async () => {
    const file = join(stage.dir, 'policy.json');
    await writeFile(file, '[]');
    const sidecar = await stage.sidecar({ ...SERVICE, SIGNET_POLICY_FILE: file });
    await sidecar.waitForEvent('ready');
    const admin = await sidecar.addressOf('admin');
    const readings = async () => {
      const metrics = await (await fetch(`http://${admin}/metrics`)).text();
      return Number(/policy_reloads_total\{result="understood"\} (\d+)/.exec(metrics)?.[1]);
    };
    const before = await readings();
    sidecar.send('SIGHUP');
    await sidecar.waitForEvent('svid', ({ rotation }) => rotation === 1);
    assert.equal(await readings(), before + 1);
  });

  it('raises the alarm over a stolen grant in log, audit and metrics', async () => {
    stage.broker.distort = ({ grant }) => stage.vault.steal(grant.wrapping_token);
    const sidecar = await stage.sidecar();
    const alarm = await sidecar.waitForEvent('theft_alarm');
    assert.deepEqual([alarm['level'], alarm['code']], ['alarm', 'GRANT_STOLEN']);
    const metrics = await fetch(`http://${await sidecar.addressOf('admin')}/metrics`);
    assert.match(await metrics.text(), /^signet_theft_alarms_total 1$/m);
    await sidecar.stop();
    const audit = await readFile(join(stage.dir, 'audit.jsonl'), 'utf8');
    assert.match(audit, /"type":"alarm".*"GRANT_STOLEN"/);
    assert.ok(stage.broker.asked.some(({ path }) => path === '/v1/alarms'));
  });

  it('takes no SVID that is not what it asked for, first or later', async () => {
    stage.vault.hostility = { id: 'spiffe://example.org/ns/shop/sa/admin' };
    const deceived = await stage.sidecar();
    const first = await deceived.waitForEvent('renewal_failed');
    assert.deepEqual([first['code'], first['reason']], ['SVID_REFUSED', 'SVID_WRONG_ID']);
    assert.equal((await fetch(`http://${await deceived.addressOf('admin')}/readyz`)).status, 503);
    await deceived.stop();

    stage.vault.hostility = {};
    const sidecar = await stage.sidecar();
    const { serial } = await sidecar.waitForEvent('svid');
    stage.vault.hostility = { otherKey: true };
    sidecar.send('SIGHUP');
    const later = await sidecar.waitForEvent('renewal_failed');
    assert.deepEqual([later['code'], later['reason']], ['SVID_REFUSED', 'SVID_WRONG_KEY']);
    const status = await fetch(`http://${await sidecar.addressOf('admin')}/status`);
    const { identity } = (await status.json()) as { identity: Record<string, unknown> };
    assert.deepEqual([identity['serial'], identity['state']], [serial, 'degraded']);
  });

  it('opens no debugger for who may send it a signal', async () => {
    const launched = await stage.sidecar();
    const bare = await startChild(process.execPath, [main], { env: stage.environment });
    for (const sidecar of [launched, bare]) {
      await until(() => sidecar.stderr().includes('"ready"'));
      sidecar.send('SIGUSR1');
    }
    await until(() => bare.stderr().includes('debugger_refused'));
    await wait(200);
    for (const sidecar of [launched, bare]) assert.doesNotMatch(sidecar.stderr(), /Debugger listening/);
    await bare.stop();
  });

  it('says so where its memory cannot be guarded, or a debugger is open', async () => {
    const flags = ['--no-experimental-ffi', '--inspect=127.0.0.1:0'];
    await using bare = await startChild(process.execPath, [...flags, main], { env: stage.environment });
    await until(() => bare.stderr().includes('"ready"'));
    const line = bare
      .stderr()
      .split('\n')
      .find((text) => text.includes('"hardening"'));
    const { level, not_dumpable, debugger: open } = JSON.parse(line ?? '{}');
    assert.deepEqual(
      { level, not_dumpable, open },
      { level: 'warn', not_dumpable: 'unavailable', open: 'open' },
    );
  });

  it('ends while it still waits for its join code', async () => {
    const sidecar = await startChild(process.execPath, [main], {
      env: { ...stage.environment, SIGNET_ATTEST: 'join:-' },
    });
    await until(() => sidecar.stderr().includes('"listening"'));
    await wait(200);
    assert.deepEqual(await sidecar.stop(), { code: 0, signal: null });
  });

  it('goes on with the first line of a standard input that stays open', async () => {
    const code = formatJoinCode({ entry: 'acme/shop/orders', id: 'j1', wrappingToken: new Secret('hvs.j1') });
    const sidecar = await startChild(process.execPath, [main], {
      env: { ...stage.environment, SIGNET_ATTEST: 'join:-' },
    });
    sidecar.stdin.write(code.slice(0, 10));
    await wait(100);
    sidecar.stdin.write(`${code.slice(10)}\nsomething else\n`);
    await until(() => sidecar.stderr().includes('"ready"'));
    assert.deepEqual(await sidecar.stop(), { code: 0, signal: null });
  });

  it('takes no certificate for good because the environment says so', async () => {
    const stranger = await createCa('example.org');
    await writeFile(join(stage.dir, 'ca.pem'), stranger.pem);
    const sidecar = await stage.sidecar({ NODE_TLS_REJECT_UNAUTHORIZED: '0' });
    assert.equal((await sidecar.waitForEvent('renewal_failed'))['code'], 'BROKER_UNTRUSTED');
    const told = await sidecar.waitForEvent('weakening_in_environment');
    assert.equal(told['variable'], 'NODE_TLS_REJECT_UNAUTHORIZED');
    assert.deepEqual(stage.broker.asked, []);
  });

  it('does without secrets that somebody has put into its environment', async () => {
    const sidecar = await stage.sidecar({ VAULT_TOKEN: 'hvs.forgotten', SIGNET_UPSTREAM: 'mistyped' });
    const told = await sidecar.waitForEvent('secret_in_environment');
    assert.equal(told['variable'], 'VAULT_TOKEN');
    const unknown = await sidecar.waitForEvent('unknown_variables');
    assert.deepEqual(unknown['variables'], ['SIGNET_UPSTREAM']);
    assert.doesNotMatch(sidecar.stderr(), /hvs\.forgotten|mistyped/);
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await wait(20);
}
