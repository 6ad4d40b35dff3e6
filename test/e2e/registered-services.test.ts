import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'mocha';
import { startChild } from '../../harness/child.ts';
import type { LoggingProcess } from '../../harness/processes.ts';
import { until } from '../broker/site.ts';
import { createWorld, type Registered, type World } from './world.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const text = await readFile(join(root, 'docs/services.md'), 'utf8');
const blocks = [...text.matchAll(/^```sh test\n([\s\S]*?)^```$/gm)].map(([, block]) => block!);

describe('docs/services.md: a service on a VM is called by its name', function () {
  this.timeout(120_000);
  let world: World;
  let web: LoggingProcess;
  let outbound: string;
  let bin: string;
  let token: string;
  const apps: Server[] = [];
  /** Where the sidecars of two machines listen that run `orders`, and of one that runs something else. */
  let at: readonly string[];

  before(async () => {
    world = await createWorld();
    bin = join(world.dir, 'bin');
    await mkdir(bin);
    await writeFile(
      join(bin, 'signet'),
      `#!/bin/sh\nexec "${process.execPath}" "${join(root, 'bin/signet.mjs')}" "$@"\n`,
    );
    await chmod(join(bin, 'signet'), 0o755);
    const made = await world.vault.request('POST', 'auth/token/create', {
      ...{ policies: ['signet-registrar-acme.shop'], no_default_policy: true },
    });
    token = String(made.body.auth.client_token);
    const [caller, orders, other] = [
      await world.register('web'),
      await world.register('orders'),
      await world.register('other'),
    ];
    const policy = join(world.dir, 'policy.json');
    const rules = [orders, other].map(({ id, name }) => ({
      ...{ name, level: 'application', target: id, effect: 'allow', mode: 'enforce' },
      when: { all: [{ caller: { is: caller.id } }] },
    }));
    await writeFile(policy, JSON.stringify(rules));
    const machine = async (service: Registered, answer: string, audit: string) => {
      const app = createServer((_, response) => response.end(answer));
      apps.push(app.listen(0, '127.0.0.1'));
      await once(app, 'listening');
      const sidecar = await world.sidecar(service, {
        ...{ SIGNET_MODE: 'service', SIGNET_POLICY_FILE: policy },
        SIGNET_AUDIT: join(world.dir, audit),
        SIGNET_INBOUND: `127.0.0.1:0->127.0.0.1:${(app.address() as AddressInfo).port}`,
      });
      await sidecar.waitForEvent('ready', undefined, 30_000);
      return await sidecar.addressOf('inbound');
    };
    at = [
      await machine(orders, 'ordered', 'one.jsonl'),
      await machine(orders, 'ordered elsewhere', 'two.jsonl'),
      await machine(other, 'stolen', 'three.jsonl'),
    ];
    web = await world.sidecar(caller, {
      SIGNET_MODE: 'service',
      SIGNET_OUTBOUND: '127.0.0.1:0',
      SIGNET_UPSTREAMS: 'services',
    });
    await web.waitForEvent('ready', undefined, 30_000);
    outbound = await web.addressOf('outbound');
  });
  after(async () => {
    await world?.[Symbol.asyncDispose]();
    for (const app of apps) app.close();
  });

  const run = async (script: string) => {
    const shell = await startChild('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: world.dir,
      env: {
        ...world.environment({ name: 'x', id: 'x', hostKey: 'x' }),
        ...{ PATH: `${bin}:${process.env['PATH']}`, HOME: world.dir, VAULT_TOKEN: token },
        ...{ SIGNET_OUTBOUND: outbound, ORDERS_ADDRESS: at[0]!, MOVED_ADDRESS: at[1]! },
      },
    });
    shell.stdin.end();
    const { code } = await shell.ended;
    assert.equal(code, 0, shell.stdout() + shell.stderr());
    return shell.stdout();
  };
  const ask = async (host: string): Promise<string> => {
    const [hostname, port] = outbound.split(':');
    const asked = request({ hostname, port, path: '/orders/42', headers: { host }, agent: false }).end();
    const [response] = await once(asked, 'response');
    return await textOf(response);
  };
  const becomes = async (host: string, want: RegExp) => {
    let seen = '';
    await until(async () => {
      seen = await ask(host);
      return want.test(seen);
    }).catch(() => assert.match(seen, want));
  };

  it('holds no sh block that is not run', () => {
    assert.equal(text.match(/^```sh/gm)?.length, blocks.length);
    assert.equal(blocks.length, 4);
  });

  it('works as it is written: registered, called, moved, deleted', async () => {
    assert.match(await ask('orders.internal'), /unknown_upstream/);
    const told = await run(blocks[0]!);
    assert.match(
      told,
      /^(acme\/shop\/orders orders\.internal 127\.0\.0\.1:\d+ spiffe:\/\/example\.org\/ns\/shop\/sa\/orders\n){3}$/,
    );
    await becomes('orders.internal', /^ordered$/);
    assert.equal(await run(blocks[1]!), 'ordered');
    await run(blocks[2]!);
    await becomes('orders.internal', /^ordered elsewhere$/);
    assert.equal(await run(blocks[3]!), 'deleted acme/shop/orders\n');
    await becomes('orders.internal', /unknown_upstream/);
  });

  it('and nobody else answers: a request to an address where another workload listens is not sent', async () => {
    const service = {
      tenant: 'acme/shop',
      name: 'wrong',
      host: 'wrong.orders.internal',
      addresses: [at[2]!],
      spiffe_ids: ['spiffe://example.org/ns/shop/sa/orders'],
    };
    const file = join(world.dir, 'wrong.json');
    await writeFile(file, JSON.stringify(service));
    const told = await run('signet service put --file wrong.json --json');
    assert.deepEqual(JSON.parse(told), service);
    await becomes('wrong.orders.internal', /upstream_identity/);
    await writeFile(
      file,
      JSON.stringify({ ...service, spiffe_ids: ['spiffe://example.org/ns/shop/sa/other'] }),
    );
    await run('signet service put acme/shop/wrong --file wrong.json');
    await becomes('wrong.orders.internal', /^stolen$/);
  });

  it('and goes on while the broker is away', async () => {
    await run(blocks[0]!);
    await becomes('orders.internal', /^ordered$/);
    await world.broker.stop();
    assert.equal(await ask('orders.internal'), 'ordered');
    await world.startBroker();
  });
});
