import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort } from '../../harness/port.ts';
import type { LoggingProcess, LogLine } from '../../harness/processes.ts';
import type { World } from './world.ts';

export interface Services extends AsyncDisposable {
  /** Calls `orders` from its outbound listener. */
  readonly web: LoggingProcess;
  /** Stands before an app that answers `ordered`. */
  readonly orders: LoggingProcess;
  /** Requests that reached the app. */
  readonly reached: number;
}

/** Two services of a world: `web` may GET and POST what it likes of `orders`. */
export async function startServices(
  world: World,
  options: {
    readonly ttl?: string;
    readonly appMs?: number;
    readonly workers?: number;
    /** Of both sidecars. */
    readonly env?: Readonly<Record<string, string>>;
    readonly app?: RequestListener;
  } = {},
): Promise<Services> {
  const { ttl = '15m', appMs = 0, workers = 1 } = options;
  const port = async () => (workers === 1 ? 0 : await freePort());
  let reached = 0;
  const app = createServer((request, response) => {
    reached++;
    if (options.app !== undefined) options.app(request, response);
    else if (appMs === 0) response.end('ordered');
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
    when: { all: [{ caller: { is: caller.id } }, { method: { in: ['GET', 'POST'] } }] },
  };
  await writeFile(policy, JSON.stringify([rule]));
  const service = { SIGNET_MODE: 'service', SIGNET_WORKERS: String(workers), ...options.env };
  const orders = await world.sidecar(callee, {
    ...service,
    SIGNET_INBOUND: `127.0.0.1:${await port()}->127.0.0.1:${(app.address() as AddressInfo).port}`,
    SIGNET_POLICY_FILE: policy,
  });
  const web = await world.sidecar(caller, {
    ...service,
    SIGNET_OUTBOUND: `127.0.0.1:${await port()}`,
    SIGNET_UPSTREAMS: `orders=${await orders.addressOf('inbound')}#${callee.id}`,
  });
  await Promise.all([orders.waitForEvent('ready', ofAll), web.waitForEvent('ready', ofAll)]);
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

/** Said by the sidecar as a whole, not by one of several workers. */
function ofAll(line: LogLine): boolean {
  return line['worker'] === undefined;
}
