import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../../harness/port.ts';
import { type LoggingProcess, runProcess } from '../../../harness/processes.ts';
import { createWorld } from '../../e2e/world.ts';
import { ShopApp } from './shop-app.ts';
import type { Place } from './traffic.ts';

export type Who = 'web' | 'orders';

/** Two sidecars as they run: processes, with SVIDs of a real Vault by a real broker, and an app that speaks everything. */
export interface House extends AsyncDisposable {
  readonly shop: ShopApp;
  readonly place: Place;
  /** The process that runs now. */
  of(who: Who): LoggingProcess;
  /** Starts it again where it was. */
  start(who: Who): Promise<void>;
  rotate(who: Who): Promise<void>;
  /** Allows or denies all below `/flip/`; settles when the sidecar reports that this is in force. */
  allowFlip(allowed: boolean): Promise<void>;
  /** What is wrong with the audit of `who`, as `signet audit verify` says; empty when it is whole. */
  audited(who: Who): Promise<string>;
}

/** `environment` is that of both sidecars, beside their settings. */
export async function createHouse(environment: Readonly<Record<string, string>> = {}): Promise<House> {
  await using stack = new AsyncDisposableStack();
  const shop = stack.use(await ShopApp.start());
  const world = stack.use(await createWorld());
  const registered = { web: await world.register('web'), orders: await world.register('orders') };
  const ports = await Promise.all(Array.from({ length: 4 }, () => freePort()));
  const [http, tcp, inbound, inboundTcp] = ports.map((port) => `127.0.0.1:${port}`);
  const policy = join(world.dir, 'policy.json');
  const rule = { level: 'application', target: registered.orders.id, mode: 'enforce' };
  const webMay = { ...rule, name: 'web', effect: 'allow', when: { caller: { is: registered.web.id } } };
  const notFlip = { ...rule, name: 'no-flip', effect: 'deny', when: { path: { starts: '/flip/' } } };
  const write = async (rules: readonly object[]) => {
    await writeFile(`${policy}.new`, JSON.stringify(rules));
    await rename(`${policy}.new`, policy);
  };
  await write([webMay]);
  const settings: Readonly<Record<Who, Readonly<Record<string, string>>>> = {
    orders: {
      SIGNET_INBOUND: `${inbound}->h2c://127.0.0.1:${shop.port} tcp:${inboundTcp}->127.0.0.1:${shop.tcpPort}`,
      SIGNET_POLICY_FILE: policy,
    },
    web: {
      SIGNET_OUTBOUND: http!,
      SIGNET_UPSTREAMS: `orders=${inbound}#${registered.orders.id} db@tcp:${tcp}=${inboundTcp}#${registered.orders.id}`,
    },
  };
  const running = new Map<Who, LoggingProcess>();
  const start = async (who: Who) => {
    const more = { SIGNET_MODE: 'service', ...settings[who], ...environment };
    const sidecar = await world.sidecar(registered[who], more);
    running.set(who, sidecar);
    await sidecar.waitForEvent('ready', undefined, 20_000);
  };
  await Promise.all([start('web'), start('orders')]);

  const owned = stack.move();
  const house: House = {
    shop,
    place: { http: http!, tcp: tcp! },
    of: (who) => running.get(who)!,
    start,
    async rotate(who) {
      const admin = await house.of(who).addressOf('admin');
      const { status } = await fetch(`http://${admin}/rotate`, { method: 'POST' });
      if (status !== 200) throw new Error(`${who} was not rotated: ${status}`);
    },
    async allowFlip(allowed) {
      const reported = house.of('orders').nextEvent('policy');
      await write(allowed ? [webMay] : [webMay, notFlip]);
      await reported;
    },
    async audited(who) {
      const file = join(world.dir, `${who}-audit.jsonl`);
      const { code, stdout, stderr } = await runProcess({ args: ['audit', 'verify', file] });
      return code === 0 ? '' : `${stdout}${stderr}`;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
  return house;
}
