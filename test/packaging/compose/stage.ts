// Runs what examples/compose says as real processes, for compose.test.ts in a network namespace; its one argument is the image, unpacked. There
// are a Vault and a caller beside it. It logs what came of it, and the caller's outbound listener.
import { once } from 'node:events';
import { chown, cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ProcessOptions, runProcess, startProcess } from '../../../harness/processes.ts';
import { createWorld, TENANT } from '../../e2e/world.ts';
import { folder, readCompose, type Service } from './compose-file.ts';

const [image = ''] = process.argv.slice(2);
const script = fileURLToPath(new URL('in-container.mjs', import.meta.url));
const app = fileURLToPath(new URL('app.mjs', import.meta.url));

await using stack = new AsyncDisposableStack();
const world = stack.use(await createWorld({ tls: true }));
await world.broker.stop();

// what docs/compose.md has an operator put beside the file
const place = join(world.dir, 'compose');
await cp(folder, place, { recursive: true });
const admin = { SIGNET_TRUST_DOMAIN: 'example.org', VAULT_ADDR: world.vault.address };
const credential = await runProcess({
  args: ['vault', 'broker-credential', '--out', join(place, 'secret-id')],
  env: { ...admin, VAULT_TOKEN: world.vault.rootToken, VAULT_CACERT: join(world.dir, 'vault.pem') },
});
const compose = readCompose({
  VAULT_ADDR: world.vault.address,
  SIGNET_VAULT_ROLE_ID: /^role_id (\S+)$/m.exec(credential.stdout)?.[1] ?? '',
  ORDERS_IMAGE: 'an app of this test',
});
await cp(join(world.dir, 'root.pem'), join(place, 'root.pem'));
await cp(join(world.dir, 'vault.pem'), join(place, 'vault.pem'));
await chown(join(place, 'secret-id'), 65532, 65532);

/** How a program starts in the container of a service. */
const container = (service: Service, words: readonly string[]): ProcessOptions => {
  const mounts = [
    ...(service.secrets ?? []).map((name) => [compose.secrets[name]?.file, `/run/secrets/${name}`]),
    ...(service.configs ?? []).map(({ source, target }) => [compose.configs[source]?.file, target]),
  ].map(([file = '', to]) => ({ from: join(place, file), to }));
  const { user, environment = {} } = service;
  const hosts = '127.0.0.1 localhost broker';
  return { script, args: [JSON.stringify({ root: image, user, environment, mounts, hosts, words })] };
};
const start = async (name: string) => {
  const service = compose.services[name]!;
  return stack.use(await startProcess(container(service, ['/usr/bin/signet', ...(service.command ?? [])])));
};
/** Asks as an engine does, until the service is healthy. */
const healthy = async (name: string): Promise<number> => {
  const service = compose.services[name]!;
  const [kind, ...words] = service.healthcheck?.test ?? [];
  if (kind !== 'CMD') throw new Error(`${name} is asked by ${kind}`);
  for (let asked = 1; asked <= 30; asked++)
    if ((await runProcess(container(service, words))).code === 0) return asked;
  throw new Error(`${name} does not become healthy`);
};
const rights = async (pid: number) =>
  Object.fromEntries(
    (await readFile(`/proc/${pid}/status`, 'utf8'))
      .split('\n')
      .map((line) => line.split(':\t') as [string, string])
      .filter(([key]) => ['Uid', 'CapEff', 'NoNewPrivs'].includes(key)),
  );

const broker = await start('broker');
await healthy('broker');
// the world's own broker registers, as that of any other machine could
const entry = { 'join:entry': `${TENANT}/orders` };
await world.startBroker();
const orders = await world.register('orders', { match: entry });
const web = await world.register('web');
await writeFile(join(place, 'orders-join-code'), await world.joinCode('orders'), { mode: 0o400 });
await chown(join(place, 'orders-join-code'), 65532, 65532);
await world.broker.stop();

const sidecar = await start('orders-sidecar');
await healthy('orders-sidecar');
const [uid = ''] = compose.services['orders']!.user.split(':');
const user = ['setpriv', '--reuid', uid, '--regid', uid, '--clear-groups', '--no-new-privs'];
const served = stack.use(await startProcess({ script: app, args: [], inside: user }));
await served.waitForEvent('listening');
const caller = await world.sidecar(web, {
  SIGNET_MODE: 'service',
  SIGNET_BROKER_URL: 'https://127.0.0.1:8555',
  SIGNET_OUTBOUND: '127.0.0.1:0',
  SIGNET_UPSTREAMS: `orders=127.0.0.1:8443#${orders.id}`,
});
await caller.waitForEvent('ready');
const told = {
  outbound: await caller.addressOf('outbound'),
  svid: (await sidecar.waitForEvent('svid'))['spiffe_id'],
  rights: { broker: await rights(broker.pid), sidecar: await rights(sidecar.pid) },
};
process.stderr.write(`${JSON.stringify({ event: 'staged', ...told })}\n`);
await once(process, 'SIGTERM');
