import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'mocha';
import type { Edge } from '../../lib/calls/index.ts';
import { openPublished, type Published } from './publishing.ts';
import { createWorld, type World } from './world.ts';

const SECRET = 'hvs.CAESIPlantedPlantedPlanted';

describe('calls told to the broker', function () {
  this.timeout(60_000);
  let world: World;
  let published: Published;
  before(async () => {
    world = await createWorld();
    published = await openPublished(world, '', { SIGNET_CALLS: 'broker' });
    await published.publish([published.allow('GET')]);
    await published.orders.waitForEvent('ready');
  });
  after(async () => {
    await published?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  const ask = async (method: string, path: string, body = '') => {
    const [host, port] = (await published.web.addressOf('outbound')).split(':');
    const headers = { Host: 'orders', Authorization: `Bearer ${SECRET}`, 'Content-Length': body.length };
    return await new Promise<number>((resolve, reject) =>
      request({ method, host, port, path, agent: false, headers }, (response) => {
        void text(response).then(() => resolve(response.statusCode ?? 0));
      })
        .on('error', reject)
        .end(body),
    );
  };

  it('are told at the end, and shown by signet calls, without anything secret', async () => {
    const none = await published.author('calls');
    assert.match(none.stdout, /^no sidecar told this broker of a call in 60 min$/m, none.stderr);
    assert.equal(await ask('GET', `/orders/7?token=${SECRET}`), 200);
    assert.equal(await ask('GET', '/orders/8', `{"secret":"${SECRET}"}`), 200);
    assert.equal(await ask('DELETE', '/orders/7'), 403);
    const { code } = await published.orders.stop();
    assert.equal(code, 0, published.orders.stderr());

    const { stdout, stderr } = await published.author('calls', '--json');
    assert.ok(!stdout.includes(SECRET) && !stdout.includes('token'), stdout);
    assert.ok(!published.orders.stderr().includes(SECRET) && !world.broker.stderr().includes(SECRET));
    const { edges } = JSON.parse(stdout || stderr) as { edges: Edge[] };
    assert.equal(edges.length, 1);
    const [edge] = edges as [Edge];
    assert.deepEqual([edge.caller, edge.service], [published.caller.id, published.callee.id]);
    assert.deepEqual([edge.count, edge.denied, edge.refused, edge.errors], [3, 1, 0, 0]);
    assert.ok(edge.p50_ms !== null && edge.p50_ms > 0);
    assert.deepEqual(
      edge.routes.map(({ method, route, count, denied }) => [method, route, count, denied]),
      [
        ['GET', '/orders/{}', 2, 0],
        ['DELETE', '/orders/{}', 1, 1],
      ],
    );
    const [denial] = edge.samples;
    assert.deepEqual(
      [denial?.effect, denial?.method, denial?.path, denial?.status, denial?.code],
      ['deny', 'DELETE', '/orders/7', 403, 'no_rule'],
    );
    const audit = await readFile(world.environment(published.callee)['SIGNET_AUDIT']!, 'utf8');
    assert.ok(denial?.decision && audit.includes(denial.decision));

    const table = (await published.author('calls', '--minutes', '5')).stdout.split('\n');
    assert.match(table[0]!, /^CALLER +SERVICE +CALLS +DENIED +REFUSED +ERRORS +P50 +P99$/);
    assert.match(table[1]!, /sa\/web +spiffe:\S+\/orders +3 +1 +0 +0\.0% +[\d.]+ms +[\d.]+ms$/);
  });

  it('are shown as docs/calls.md says, to those whom Vault lets see', async () => {
    const doc = await readFile(new URL('../../docs/calls.md', import.meta.url), 'utf8');
    const commands = [...doc.matchAll(/^```sh test\n([\s\S]*?)^```$/gm)]
      .flatMap(([, block]) => block!.trim().split('\n'))
      .map((line) => line.replace('npx signet ', '').split(' '));
    assert.equal(commands.length, 2);
    for (const command of commands) {
      const { code, stdout, stderr } = await published.author(...command);
      assert.equal(code, 0, stderr);
      assert.ok(stdout.includes(published.callee.id));
    }
    const operator = await published.operator('calls');
    assert.deepEqual([operator.code, operator.stdout], [1, '']);
    assert.match(operator.stderr, /vault_denied/);
    const wrong = await published.author('calls', '--minutes', '61');
    assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
  });
});
