import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { createInbound, type Inbound, type InboundDeps } from '../../../sidecar/inbound/index.ts';
import { createOutbound, type Outbound } from '../../../sidecar/outbound/index.ts';
import { upstream } from '../outbound/world.ts';
import { dialPlain, portOf, type RawClient, RawServer, type Seen } from '../sockets.ts';
import {
  type Authority,
  authority,
  clock,
  credentialsFor,
  decider,
  FakeAudit,
  ORDERS,
  quiet,
  WEB,
} from '../support.ts';

/** WEB's sidecar with a local port for raw connections to ORDERS', which has no HTTP and a raw app behind it. */
export type RawPair = AsyncDisposable & {
  readonly ca: Authority;
  readonly app: RawServer;
  readonly audit: FakeAudit;
  readonly inbound: Inbound;
  readonly outbound: Outbound;
  /** The app's port, as policy sees it. */
  readonly path: string;
  dial(): Promise<RawClient>;
};

export type RawPairOptions = Partial<InboundDeps> & {
  readonly answer?: (seen: Seen) => void;
  /** The path is known only when the app listens. */
  readonly documents?: (path: string) => readonly object[];
  readonly serverIds?: readonly string[];
  /** Stands between the sidecars: is given the port of one, and gives that for the other. */
  readonly between?: (port: number) => Promise<number>;
  /** Of WEB's SVID. */
  readonly notAfter?: Date;
};

const LOOPBACK = { host: '127.0.0.1', port: 0 };

export async function rawPair(options: RawPairOptions = {}): Promise<RawPair> {
  const {
    answer = () => {},
    documents = onlyItsPort,
    serverIds = [ORDERS],
    notAfter,
    between,
    ...deps
  } = options;
  const ca = await authority();
  const app = await RawServer.start(answer);
  const audit = new FakeAudit();
  const path = `/tcp/${app.port}`;
  const judge = decider(documents(path), audit);
  const common = { clock, log: quiet };
  const inbound = await createInbound({
    ...common,
    listen: null,
    app: null,
    tcp: [{ listen: LOOPBACK, app: { ...LOOPBACK, port: app.port } }],
    trustDomain: 'example.org',
    credentials: await credentialsFor(ca, ORDERS),
    decider: judge,
    metrics: createMetrics(),
    ...deps,
  });
  const inboundPort = portOf(inbound.tcp[0]!);
  const port = between === undefined ? inboundPort : await between(inboundPort);
  const outbound = await createOutbound({
    ...common,
    listen: LOOPBACK,
    upstreams: [{ ...upstream('db', [port], serverIds), listen: LOOPBACK, protocol: 'tcp' }],
    credentials: await credentialsFor(ca, WEB, notAfter === undefined ? {} : { notAfter }),
    metrics: createMetrics(),
  });
  return {
    ca,
    app,
    audit,
    inbound,
    outbound,
    path,
    dial: () => dialPlain(outbound.ports.get('db')!),
    async [Symbol.asyncDispose]() {
      judge[Symbol.dispose]();
      await outbound.close({ deadlineMs: 0 });
      await inbound.close({ deadlineMs: 0 });
      await app[Symbol.asyncDispose]();
    },
  };
}

/** WEB may connect to this port, and do nothing else. */
function onlyItsPort(path: string): object[] {
  const all = [{ caller: { is: WEB } }, { method: { is: 'CONNECT' } }, { path: { is: path } }];
  return [{ name: 'web-db', when: { all } }];
}
