import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { LoggingProcess } from '../../harness/processes.ts';
import type { World } from './world.ts';

export interface Services extends AsyncDisposable {
  /** Calls `orders` from its outbound listener. */
  readonly web: LoggingProcess;
  /** Stands before an app that answers `ordered`. */
  readonly orders: LoggingProcess;
  /** Requests that reached the app. */
  readonly reached: number;
}

/** Two services of a world: `web` may GET what it likes of `orders`. */
export async function startServices(
  world: World,
  { ttl = '15m', appMs = 0 }: { readonly ttl?: string; readonly appMs?: number } = {},
): Promise<Services> {
  let reached = 0;
  const app = createServer((_request, response) => {
    reached++;
    if (appMs === 0) response.end('ordered');
    else void wait(appMs).then(() => response.end('ordered'));
  });
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  const callee = await world.register('orders', { ttl });
  const caller = await world.register('web', { ttl });
  const policy = join(world.dir, 'policy.json');
  const rule = {
    name: 'web-reads',
    level: 'application',
    target: callee.id,
    effect: 'allow',
    mode: 'enforce',
    when: { all: [{ caller: { is: caller.id } }, { method: { is: 'GET' } }] },
  };
  await writeFile(policy, JSON.stringify([rule]));
  const orders = await world.sidecar(callee, {
    SIGNET_MODE: 'service',
    SIGNET_INBOUND: `127.0.0.1:0->127.0.0.1:${(app.address() as AddressInfo).port}`,
    SIGNET_POLICY_FILE: policy,
  });
  const web = await world.sidecar(caller, {
    SIGNET_MODE: 'service',
    SIGNET_OUTBOUND: '127.0.0.1:0',
    SIGNET_UPSTREAMS: `orders=${await orders.addressOf('inbound')}#${callee.id}`,
  });
  await Promise.all([orders.waitForEvent('ready'), web.waitForEvent('ready')]);
  return {
    web,
    orders,
    get reached() {
      return reached;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([web.stop(), orders.stop()]);
      app.closeAllConnections();
      app.close();
    },
  };
}
