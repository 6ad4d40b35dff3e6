import { createMetrics } from '../../../lib/adapter/metrics.ts';
import type { CredentialHolder } from '../../../sidecar/credentials.ts';
import { createInbound, type Inbound, type InboundDeps } from '../../../sidecar/inbound/index.ts';
import { dialTls, type RawClient, RawServer, type Seen } from '../sockets.ts';
import {
  ALLOW_WEB,
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

/** An inbound proxy for ORDERS in front of a raw app, and WEB, which may do what the documents say. */
export type World = AsyncDisposable & {
  readonly ca: Authority;
  readonly app: RawServer;
  readonly audit: FakeAudit;
  readonly orders: CredentialHolder;
  readonly web: CredentialHolder;
  readonly inbound: Inbound;
  dial(): Promise<RawClient>;
};

export type WorldOptions = Partial<InboundDeps> & {
  readonly answer?: (seen: Seen) => void;
  readonly documents?: readonly object[];
  readonly appPort?: number;
};

export const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

/** An app that answers each complete request head with the same response. */
export function answering(response = OK): (seen: Seen) => void {
  const answered = new WeakMap<Seen, number>();
  return (seen) => {
    const heads = seen.received.split('\r\n\r\n').length - 1;
    for (let n = answered.get(seen) ?? 0; n < heads; n++) seen.socket.write(Buffer.from(response, 'latin1'));
    answered.set(seen, heads);
  };
}

export async function world(options: WorldOptions = {}): Promise<World> {
  const { answer = answering(), documents = [ALLOW_WEB], appPort, ...deps } = options;
  const ca = await authority();
  const app = await RawServer.start(answer);
  const audit = new FakeAudit();
  const orders = await credentialsFor(ca, ORDERS);
  const web = await credentialsFor(ca, WEB);
  const judge = decider(documents, audit);
  const inbound = await createInbound({
    listen: { host: '127.0.0.1', port: 0 },
    app: { host: '127.0.0.1', port: appPort ?? app.port },
    trustDomain: 'example.org',
    credentials: orders,
    decider: judge,
    clock,
    log: quiet,
    metrics: createMetrics(),
    ...deps,
  });
  return {
    ca,
    app,
    audit,
    orders,
    web,
    inbound,
    dial: () => dialTls(inbound.address, web),
    async [Symbol.asyncDispose]() {
      judge[Symbol.dispose]();
      await inbound.close({ deadlineMs: 0 });
      await app[Symbol.asyncDispose]();
    },
  };
}

/** The problem document at the end of what a client heard. */
export function problemIn(text: string): Record<string, unknown> & { readonly status: number } {
  const [head = '', body = ''] = text
    .slice(text.search(/HTTP\/1\.1 \d{3} [^\r]*\r\n(?!.*HTTP\/1\.1 \d{3} )/s))
    .split('\r\n\r\n');
  if (!/^content-type: application\/problem\+json$/m.test(head.replaceAll('\r', '')))
    throw new Error(`no problem: ${text}`);
  return JSON.parse(body) as Record<string, unknown> & { readonly status: number };
}
