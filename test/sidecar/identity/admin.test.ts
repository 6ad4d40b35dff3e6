import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { createStage, type Stage } from './stage.ts';

describe('the admin listener', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await createStage();
  });
  afterEach(() => stage[Symbol.asyncDispose]());

  it('tells what an operator asks first', async () => {
    const sidecar = await stage.sidecar();
    const admin = await sidecar.addressOf('admin');
    const { serial } = await sidecar.waitForEvent('svid');
    await sidecar.waitForEvent('ready');
    const status = (await (await fetch(`http://${admin}/status`)).json()) as Record<string, never>;
    assert.equal(status['ready'], true);
    assert.deepEqual(status['hardening'], { not_dumpable: 'on', debugger: 'closed' });
    const { identity } = status as unknown as { identity: Record<string, unknown> };
    assert.equal(identity['serial'], serial);
    assert.ok(Date.parse(String(identity['next_attempt_at'])) < Date.parse(String(identity['not_after'])));
    const { audit } = status as unknown as { audit: { accepting: boolean; head: Record<string, unknown> } };
    assert.equal(audit.accepting, true);
    assert.match(String(audit.head['hash']), /^[0-9a-f]{64}$/);
    assert.ok(Number(audit.head['records']) >= 2, 'its start and the SVID');
    const metrics = await (await fetch(`http://${admin}/metrics`)).text();
    assert.match(metrics, /^signet_theft_alarms_total 0$/m);
    assert.equal((await fetch(`http://${admin}/healthz`)).status, 200);
    assert.equal((await fetch(`http://${admin}/`)).status, 404);
  });

  it('rotates on request, unless a web page asks', async () => {
    const sidecar = await stage.sidecar();
    const admin = await sidecar.addressOf('admin');
    await sidecar.waitForEvent('ready');
    const rotate = (headers: Record<string, string>) => post(`http://${admin}/rotate`, headers);
    assert.equal((await rotate({ Origin: 'http://evil.example' })).status, 403);
    assert.equal((await rotate({ 'Sec-Fetch-Site': 'cross-site' })).status, 403);
    assert.equal((await rotate({ Host: 'evil.example' })).status, 403);
    const { status, body } = await rotate({});
    assert.equal(status, 200);
    const svid = await sidecar.waitForEvent('svid', ({ rotation }) => rotation === 1);
    assert.deepEqual(JSON.parse(body), { ok: true, serial: svid['serial'] });
  });

  it('serves its admin on a unix socket that is its user’s alone, also where a dead one is left', async () => {
    const path = join(stage.dir, 'admin.sock');
    for (let round = 0; round < 2; round++) {
      const sidecar = await stage.sidecar({ SIGNET_ADMIN: `unix:${path}` });
      assert.equal(await sidecar.addressOf('admin'), `unix:${path}`);
      assert.equal((await stat(path)).mode & 0o777, 0o600);
      await sidecar.waitForEvent('ready');
      const answer = await new Promise<string>((resolve, reject) =>
        request({ socketPath: path, path: '/readyz' }, (response) => void text(response).then(resolve))
          .on('error', reject)
          .end(),
      );
      assert.deepEqual(JSON.parse(answer), { ready: true, missing: [] });
      await sidecar.kill();
    }
  });
});

function post(url: string, headers: Record<string, string>): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) =>
    request(url, { method: 'POST', headers }, (response) => {
      void text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }));
    })
      .on('error', reject)
      .end(),
  );
}
