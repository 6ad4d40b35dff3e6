import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { openAudit } from '../../../sidecar/audit/index.ts';
import { parseLimits } from '../../../sidecar/config/limits.ts';
import { createCredentials } from '../../../sidecar/identity/credentials.ts';
import { openSession } from '../http2/world.ts';
import { ALLOW_WEB, clock, decider, quiet } from '../support.ts';
import { problemIn, world } from './world.ts';

describe('a request that no record of the audit can hold', () => {
  it('is refused, and the sidecar goes on', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'signet-'));
    const target = join(folder, 'audit.jsonl');
    const metrics = createMetrics();
    const credentials = createCredentials();
    await using audit = await openAudit({ target, credentials, clock, log: quiet, metrics });
    using judge = decider([ALLOW_WEB], audit);
    const { inbound: limits } = parseLimits('head=64k target=32k');
    await using w = await world({ decider: judge, limits });
    const client = await w.dial();
    // each of these becomes three
    client.send(`GET /${'"'.repeat(30_000)} HTTP/1.1\r\nhost: orders\r\n\r\n`);
    const { status, code } = problemIn(await client.hears('}'));
    assert.deepEqual([status, code], [503, 'not_decided']);
    client.send('GET /next HTTP/1.1\r\nhost: orders\r\n\r\n');
    await client.hears('HTTP/1.1 200 OK');
    const session = await openSession(w.inbound.address, w.web);
    const stream = session.request({ ':path': `/${'"'.repeat(30_000)}` });
    const [answer] = await once(stream, 'response');
    assert.equal(answer[':status'], 503);
    session.destroy();
    assert.deepEqual(
      w.app.connections.map(({ received }) => received.split('\r\n', 1)[0]),
      ['GET /next HTTP/1.1'],
    );
    await audit.close(1_000);
    assert.match(await readFile(target, 'utf8'), /"type":"refused","code":"record_too_large"/);
    await rm(folder, { recursive: true });
  });
});
