// Two services of a world, each with a unix user of its own, and a plain server, for transparent-users.test.ts to run in
// a network namespace. It logs the plain server's port once all is ready.
import { once } from 'node:events';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createWorld, type Registered } from './world.ts';

/** `name:user of its sidecar:port of SIGNET_TRANSPARENT` for each service. */
const callers = process.argv.slice(2).map((word) => {
  const [name = '', uid = '', port = ''] = word.split(':');
  return { name, uid: Number(uid), port };
});

await using stack = new AsyncDisposableStack();
const world = stack.use(await createWorld());
const serve = async (host: string, answer: (caller: string) => string): Promise<number> => {
  const server = createServer(({ headers }, response) =>
    response.end(answer(String(headers['x-signet-caller']))),
  );
  server.listen(0, host);
  await once(server, 'listening');
  stack.defer(() => void server.close());
  return (server.address() as AddressInfo).port;
};
const app = await serve('127.0.0.1', (caller) => `called by ${caller}\n`);
const plain = await serve('::', () => 'plain\n');

/** A folder for what the sidecar of this user writes, and its host key, which nobody else may read. */
const own = async ({ name, hostKey }: Registered, uid: number) => {
  const folder = join(world.dir, `${name}-own`);
  await mkdir(folder, { mode: 0o700 });
  for (const path of [folder, hostKey]) await chown(path, uid, uid);
  const inside = [
    'setpriv',
    '--reuid',
    String(uid),
    '--regid',
    String(uid),
    '--clear-groups',
    '--no-new-privs',
  ];
  return { env: { SIGNET_MODE: 'service', SIGNET_AUDIT: join(folder, 'audit.jsonl') }, inside };
};

const orders = await world.register('orders');
const policy = join(world.dir, 'policy.json');
const registered = await Promise.all(
  callers.map(async (caller) => ({ ...caller, service: await world.register(caller.name) })),
);
await writeFile(
  policy,
  JSON.stringify(
    registered.map(({ name, service }) => ({
      ...{ name, level: 'application', target: orders.id, effect: 'allow', mode: 'enforce' },
      when: { all: [{ caller: { is: service.id } }, { method: { is: 'GET' } }] },
    })),
  ),
);
const callee = await world.sidecar(orders, {
  SIGNET_MODE: 'service',
  SIGNET_INBOUND: `127.0.0.1:0->127.0.0.1:${app}`,
  SIGNET_POLICY_FILE: policy,
});
const upstreams = `orders=${await callee.addressOf('inbound')}#${orders.id}`;
for (const { service, uid, port } of registered) {
  const { env, inside } = await own(service, uid);
  const listeners = { SIGNET_OUTBOUND: '127.0.0.1:0', SIGNET_UPSTREAMS: upstreams };
  const transparent = { SIGNET_TRANSPARENT: `127.0.0.1:${port}` };
  const sidecar = await world.sidecar(service, { ...env, ...listeners, ...transparent }, { inside });
  await sidecar.waitForEvent('ready');
}
await callee.waitForEvent('ready');
process.stderr.write(`${JSON.stringify({ event: 'staged', plain })}\n`);
await once(process, 'SIGTERM');
