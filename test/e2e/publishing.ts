import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type LoggingProcess, runProcess } from '../../harness/processes.ts';
import type { Registered, World } from './world.ts';

export type Ran = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** Those who publish, and two services whose policies come from the broker. */
export interface Published extends AsyncDisposable {
  /** `signet` with a token of `signet-author`. */
  author(...args: readonly string[]): Promise<Ran>;
  /** `signet` with a token of `signet-operator`. */
  operator(...args: readonly string[]): Promise<Ran>;
  /** Publishes these documents as an author, and gives the version. */
  publish(documents: readonly object[]): Promise<number>;
  /** What `status --json` says. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects to find, and fails when it is not there
  status(): Promise<any>;
  /** A document for `orders` that lets `web` use these methods. */
  allow(...methods: readonly string[]): object;
  readonly orders: LoggingProcess;
  readonly web: LoggingProcess;
  readonly callee: Registered;
  readonly caller: Registered;
  readonly reached: number;
  /** The status of a request to `orders` by this sidecar of `web`, and its problem's code. */
  ask(
    method?: string,
    by?: LoggingProcess,
  ): Promise<{ readonly status: number; readonly code: string | undefined }>;
}

export async function openPublished(
  world: World,
  inboundMore = '',
  more: Readonly<Record<string, string>> = {},
): Promise<Published> {
  let reached = 0;
  const app = createServer((_request, response) => {
    reached++;
    response.end('ordered');
  });
  app.on('upgrade', (_request, socket) => socket.destroy());
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  const callee = await world.register('orders');
  const caller = await world.register('web');
  const tokens = {
    author: await tokenOf(world, 'signet-author'),
    operator: await tokenOf(world, 'signet-operator'),
  };
  const run =
    (token: string) =>
    (...args: readonly string[]) =>
      runProcess({
        args,
        env: {
          ...world.environment(callee),
          VAULT_ADDR: world.vault.address,
          VAULT_TOKEN: token,
        },
      });
  const service = { SIGNET_MODE: 'service' };
  const orders = await world.sidecar(callee, {
    ...service,
    ...more,
    SIGNET_INBOUND: `127.0.0.1:0->127.0.0.1:${(app.address() as AddressInfo).port} ${inboundMore}`,
  });
  const web = await world.sidecar(caller, {
    ...service,
    SIGNET_OUTBOUND: '127.0.0.1:0',
    SIGNET_UPSTREAMS: `orders=${await orders.addressOf('inbound')}#${callee.id}`,
  });
  await web.waitForEvent('ready');
  const author = run(tokens.author);
  return {
    author,
    operator: run(tokens.operator),
    orders,
    web,
    callee,
    caller,
    get reached() {
      return reached;
    },
    async publish(documents) {
      const file = join(world.dir, 'set.json');
      await writeFile(file, JSON.stringify(documents));
      const { code, stdout, stderr } = await author('policy', 'publish', file, '--json');
      if (code !== 0) throw new Error(`not published: ${stdout}${stderr}`);
      return JSON.parse(stdout).version;
    },
    async status() {
      const { stdout, stderr } = await author('policy', 'status', '--json');
      return JSON.parse(stdout || stderr);
    },
    allow: (...methods) => ({
      name: 'web-may',
      level: 'application',
      target: callee.id,
      effect: 'allow',
      mode: 'enforce',
      when: { all: [{ caller: { is: caller.id } }, { method: { in: methods } }] },
    }),
    async ask(method = 'GET', by = web) {
      const [host, port] = (await by.addressOf('outbound')).split(':');
      const path = '/orders/7';
      return await new Promise((resolve, reject) =>
        request({ method, host, port, path, agent: false, headers: { Host: 'orders' } }, (response) => {
          let body = '';
          response.setEncoding('utf8').on('data', (text: string) => (body += text));
          response.on('end', () => {
            const status = response.statusCode ?? 0;
            resolve({ status, code: status === 200 ? undefined : JSON.parse(body).code });
          });
        })
          .on('error', reject)
          .end(),
      );
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([web.stop(), orders.stop()]);
      app.closeAllConnections();
      app.close();
    },
  };
}

async function tokenOf({ vault }: World, policy: string): Promise<string> {
  const { body } = await vault.request('POST', 'auth/token/create', {
    policies: [policy],
    no_default_policy: true,
    display_name: policy.replace('signet-', ''),
    ttl: '1h',
  });
  return body.auth.client_token;
}
