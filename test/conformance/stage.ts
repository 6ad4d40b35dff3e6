import { createMetrics } from '../../lib/adapter/metrics.ts';
import { createInbound } from '../../sidecar/inbound/index.ts';
import { createOutbound } from '../../sidecar/outbound/index.ts';
import { upstream } from '../sidecar/outbound/world.ts';
import { dialPlain, dialTls, type RawClient } from '../sidecar/sockets.ts';
import {
  ALLOW_WEB,
  authority,
  clock,
  credentialsFor,
  decider,
  ORDERS,
  quiet,
  WEB,
} from '../sidecar/support.ts';
import { Recorder } from './recorder.ts';

export type Side = 'inbound' | 'outbound';

/** One real proxy between a raw client and a recording backend; on the side of the other sidecar both speak mTLS. */
export type Stage = AsyncDisposable & {
  readonly side: Side;
  readonly backend: Recorder;
  dial(): Promise<RawClient>;
  /** A request as the backend sees it, with the header lines that this proxy adds. */
  added(request: string): string;
};

export const sides: readonly Side[] = ['inbound', 'outbound'];

export async function stageOf(side: Side): Promise<Stage> {
  return side === 'inbound' ? inboundStage() : outboundStage();
}

async function inboundStage(): Promise<Stage> {
  const ca = await authority();
  const [orders, web] = [await credentialsFor(ca, ORDERS), await credentialsFor(ca, WEB)];
  const backend = await Recorder.start();
  const judge = decider([ALLOW_WEB]);
  const inbound = await createInbound({
    listen: { host: '127.0.0.1', port: 0 },
    app: { host: '127.0.0.1', port: backend.port },
    trustDomain: 'example.org',
    credentials: orders,
    decider: judge,
    clock,
    log: quiet,
    metrics: createMetrics(),
  });
  return {
    side: 'inbound',
    backend,
    dial: () => dialTls(inbound.address, web),
    added(request) {
      const end = request.indexOf('\r\n\r\n') + 2;
      return `${request.slice(0, end)}x-signet-caller: ${WEB}\r\n${request.slice(end)}`;
    },
    async [Symbol.asyncDispose]() {
      judge[Symbol.dispose]();
      await inbound.close({ deadlineMs: 0 });
      await backend[Symbol.asyncDispose]();
    },
  };
}

async function outboundStage(): Promise<Stage> {
  const ca = await authority();
  const [orders, web] = [await credentialsFor(ca, ORDERS), await credentialsFor(ca, WEB)];
  const backend = await Recorder.start(orders);
  const outbound = await createOutbound({
    listen: { host: '127.0.0.1', port: 0 },
    upstreams: [upstream('orders', [backend.port])],
    credentials: web,
    clock,
    log: quiet,
    metrics: createMetrics(),
  });
  return {
    side: 'outbound',
    backend,
    dial: () => dialPlain(outbound.address),
    added: (request) => request,
    async [Symbol.asyncDispose]() {
      await outbound.close({ deadlineMs: 0 });
      await backend[Symbol.asyncDispose]();
    },
  };
}
