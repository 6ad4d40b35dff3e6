import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { createOutbound, type Outbound, type OutboundDeps } from '../../../sidecar/outbound/index.ts';
import { type World, type WorldOptions, world } from '../inbound/world.ts';
import { portOf } from '../sockets.ts';
import { clock, ORDERS, quiet } from '../support.ts';

/** Both proxies: WEB's outbound one, whose upstream `orders` is ORDERS' inbound one. */
export type Pair = World & { readonly outbound: Outbound };

export async function pair(
  options: { readonly inbound?: WorldOptions; readonly outbound?: Partial<OutboundDeps> } = {},
): Promise<Pair> {
  const w = await world(options.inbound);
  const outbound = await createOutbound({
    listen: { host: '127.0.0.1', port: 0 },
    upstreams: [upstream('orders', [portOf(w.inbound.address)])],
    credentials: w.web,
    clock,
    log: quiet,
    metrics: createMetrics(),
    ...options.outbound,
  });
  return {
    ...w,
    outbound,
    async [Symbol.asyncDispose]() {
      await outbound.close({ deadlineMs: 0 });
      await w[Symbol.asyncDispose]();
    },
  };
}

export function upstream(name: string, ports: readonly number[], ids: readonly string[] = [ORDERS]) {
  return {
    name,
    addresses: ports.map((port) => ({ host: '127.0.0.1', port })),
    ids: ids.map((id) => parseSpiffeId(id)),
  };
}
