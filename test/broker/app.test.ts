import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'mocha';
import { createApp } from '../../broker/app.ts';
import { Problem, type ProblemCode } from '../../broker/problem.ts';
import type { Route } from '../../broker/routes/route.ts';
import { createMetrics } from '../../lib/adapter/metrics.ts';
import { silentLog } from '../support/silent-log.ts';

describe('the log of the API', () => {
  const linesOf = async (code: ProblemCode): Promise<number> => {
    let lines = 0;
    const route: Route = {
      ...{ method: 'get', path: '/x', id: 'x', summary: 'x', answers: { 200: null }, problems: [code] },
      handle: () => {
        throw new Problem(code);
      },
    };
    const app = createApp({
      ...{ routes: [route], validate: () => {}, perSource: { take: () => {} }, metrics: createMetrics() },
      connections: () => ({ source: 'a' }) as never,
      newCorrelationId: () => 'c',
      log: { ...silentLog, error: () => void lines++ },
    });
    const server = createServer(app).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      for (let i = 0; i < 20; i++)
        assert.equal((await fetch(`http://127.0.0.1:${port}/x`)).status, new Problem(code).status);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    return lines;
  };

  it('has each failure of the broker', async () => assert.equal(await linesOf('internal'), 20));
  it('has it once in a while that strangers ask for too much', async () =>
    assert.equal(await linesOf('overloaded'), 1));
});
