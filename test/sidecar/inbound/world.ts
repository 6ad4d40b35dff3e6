import { createMetrics } from '../../../lib/adapter/metrics.ts';
import type { CredentialHolder } from '../../../sidecar/identity/credentials.ts';
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

export type WorldOptions = Omit<Partial<InboundDeps>, 'anonymous'> & {
  /** Also serves clients that have no SVID. */
  readonly anonymous?: 'tls' | 'http';
  readonly answer?: (seen: Seen) => void;
  readonly documents?: readonly object[];
  readonly appPort?: number;
  /** That of another world, whose peers this one then trusts. */
  readonly ca?: Authority;
};

export const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

/** An app that answers each whole request with the same response. */
export function answering(response = OK): (seen: Seen) => void {
  const read = new WeakMap<Seen, number>();
  return (seen) => {
    let at = read.get(seen) ?? 0;
    for (let end = endOfRequest(seen.received, at); end !== -1; end = endOfRequest(seen.received, at)) {
      seen.socket.write(Buffer.from(response, 'latin1'));
      at = end;
    }
    read.set(seen, at);
  };
}

/** Where the request that begins at `at` ends, -1 while it has not. */
function endOfRequest(text: string, at: number): number {
  const blank = text.indexOf('\r\n\r\n', at);
  if (blank === -1) return -1;
  const [head, body] = [text.slice(at, blank), blank + 4];
  if (/^transfer-encoding: /im.test(head)) {
    const last = /(?:^|\r\n)0+\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(text.slice(body));
    return last === null ? -1 : body + last.index + last[0].length;
  }
  const end = body + Number(/^content-length:\s*(\d+)/im.exec(head)?.[1] ?? 0);
  return end <= text.length ? end : -1;
}

export async function world(options: WorldOptions = {}): Promise<World> {
  const { answer = answering(), documents = [ALLOW_WEB], appPort, ca = await authority() } = options;
  const { anonymous: protocol, ...deps } = options;
  const app = await RawServer.start(answer);
  const audit = new FakeAudit();
  const orders = await credentialsFor(ca, ORDERS);
  const web = await credentialsFor(ca, WEB);
  const judge = decider(documents, audit);
  const listen = { host: '127.0.0.1', port: 0 };
  const place = deps.app ?? { host: '127.0.0.1', port: appPort ?? app.port };
  const inbound = await createInbound({
    listen,
    app: place,
    anonymous: protocol === undefined ? null : { protocol, listen, app: place },
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
