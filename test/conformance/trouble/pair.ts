import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { createOutbound, type Outbound, type OutboundDeps } from '../../../sidecar/outbound/index.ts';
import { type World, type WorldOptions, world } from '../../sidecar/inbound/world.ts';
import { upstream } from '../../sidecar/outbound/world.ts';
import { portOf } from '../../sidecar/sockets.ts';
import { clock, quiet } from '../../sidecar/support.ts';
import { ShopApp } from './shop-app.ts';
import type { Place } from './traffic.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };

/** Both proxies in this process, before an app that speaks everything. */
export type ShopPair = World & { readonly shop: ShopApp; readonly outbound: Outbound; readonly place: Place };

export async function shopPair(
  options: { readonly inbound?: WorldOptions; readonly outbound?: Partial<OutboundDeps> } = {},
): Promise<ShopPair> {
  const shop = await ShopApp.start();
  const w = await world({
    app: { ...LOOPBACK, port: shop.port, h2c: true },
    tcp: [{ listen: LOOPBACK, app: { ...LOOPBACK, port: shop.tcpPort } }],
    ...options.inbound,
  });
  const outbound = await createOutbound({
    listen: LOOPBACK,
    upstreams: [
      upstream('orders', [portOf(w.inbound.address)]),
      { ...upstream('db', [portOf(w.inbound.tcp[0]!)]), listen: LOOPBACK, protocol: 'tcp' },
    ],
    credentials: w.web,
    clock,
    log: quiet,
    metrics: createMetrics(),
    ...options.outbound,
  });
  return {
    ...w,
    shop,
    outbound,
    place: { http: outbound.address, tcp: outbound.ports.get('db')! },
    async [Symbol.asyncDispose]() {
      await outbound.close({ deadlineMs: 0 });
      await w[Symbol.asyncDispose]();
      await shop[Symbol.asyncDispose]();
    },
  };
}
