import { writeFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../../../harness/port.ts';
import type { LoggingProcess, LogLine } from '../../../harness/processes.ts';
import { createStage, type Stage } from '../identity/stage.ts';
import { ORDERS } from '../support.ts';

/** A stage with an app, and a sidecar before it that is its own upstream `orders`: what is asked of it goes through both of its sides. */
export interface WorkersStage extends Stage {
  /** Requests that reached the app. */
  readonly reached: number;
  /** Those for `/held`, which wait for the test to answer. */
  readonly held: readonly ServerResponse[];
  /** Starts it with so many workers. */
  start(workers: number, more?: Readonly<Record<string, string>>): Promise<Supervised>;
}

export interface Supervised extends LoggingProcess {
  readonly admin: string;
  readonly outbound: string;
  /** Until every worker is. */
  ready(): Promise<void>;
  /** Lines that the supervisor itself wrote. */
  own(event: string): readonly LogLine[];
  get(path: string): Promise<{ readonly status: number; readonly text: string }>;
  post(path: string): Promise<{ readonly status: number; readonly text: string }>;
  /** The pids of the workers that serve, by their numbers. */
  pids(): Promise<ReadonlyMap<number, number>>;
}

export async function createWorkersStage(): Promise<WorkersStage> {
  await using stack = new AsyncDisposableStack();
  const stage = stack.use(await createStage());
  let reached = 0;
  const app = createServer((request, response) => {
    reached++;
    if (request.url === '/held') held.push(response);
    else response.end('ordered');
  });
  const held: ServerResponse[] = [];
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  stack.defer(() => close(app));
  const policy = join(stage.dir, 'policy.json');
  const rule = { name: 'all', level: 'application', target: ORDERS, effect: 'allow', mode: 'enforce' };
  await writeFile(policy, JSON.stringify([{ ...rule, when: { caller: { is: ORDERS } } }]));
  const owned = stack.move();
  return {
    ...stage,
    held,
    get reached() {
      return reached;
    },
    async start(workers, more = {}) {
      const [inbound, outbound] = [await freePort(), await freePort()];
      const sidecar = await stage.sidecar({
        SIGNET_MODE: 'service',
        SIGNET_WORKERS: String(workers),
        SIGNET_INBOUND: `127.0.0.1:${inbound}->127.0.0.1:${(app.address() as AddressInfo).port}`,
        SIGNET_POLICY_FILE: policy,
        SIGNET_OUTBOUND: `127.0.0.1:${outbound}`,
        SIGNET_UPSTREAMS: `orders=127.0.0.1:${inbound}#${ORDERS}`,
        ...more,
      });
      const admin = await sidecar.addressOf('admin');
      return supervised(sidecar, admin, `127.0.0.1:${outbound}`);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function supervised(sidecar: LoggingProcess, admin: string, outbound: string): Supervised {
  const ask = async (method: string, path: string) => {
    const response = await fetch(`http://${admin}${path}`, { method });
    return { status: response.status, text: await response.text() };
  };
  return {
    ...sidecar,
    admin,
    outbound,
    async ready() {
      await sidecar.waitForEvent('ready', ({ worker }) => worker === undefined, 20_000);
    },
    own: (event) => sidecar.logs().filter((line) => line.event === event && line['worker'] === undefined),
    get: (path) => ask('GET', path),
    post: (path) => ask('POST', path),
    async pids() {
      const { workers } = JSON.parse((await ask('GET', '/status')).text);
      return new Map(workers.map((each: { worker: number; pid: number }) => [each.worker, each.pid]));
    },
  };
}

async function close(app: Server): Promise<void> {
  app.closeAllConnections();
  await new Promise((resolve) => app.close(resolve));
}
