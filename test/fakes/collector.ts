import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

/** What it is told to answer to one request; `hang`: nothing. */
export type Answer =
  | 'hang'
  | { readonly status: number; readonly retryAfter?: string; readonly body?: object };

export type Received = {
  readonly path: string;
  readonly type: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects to find, and fails when it is not there
  readonly body: any;
};

/** A collector of OTLP/HTTP that keeps what it gets, and answers as it is told: the first answers first, then 200. */
export interface FakeCollector extends AsyncDisposable {
  readonly url: URL;
  readonly received: readonly Received[];
  readonly answers: Answer[];
  /** All items of one kind that were answered 200: `traces`, `logs` or `metrics`. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  taken(kind: 'traces' | 'logs' | 'metrics'): any[];
}

const ITEMS = {
  traces: ['resourceSpans', 'scopeSpans', 'spans'],
  logs: ['resourceLogs', 'scopeLogs', 'logRecords'],
  metrics: ['resourceMetrics', 'scopeMetrics', 'metrics'],
} as const;

export async function startCollector(tls?: ServerOptions): Promise<FakeCollector> {
  const received: Received[] = [];
  const taken: Received[] = [];
  const answers: Answer[] = [];
  const server: Server = tls === undefined ? createServer() : createSecureServer(tls);
  server.on('request', async (request, response) => {
    const path = String(request.url);
    const one = { path, type: request.headers['content-type'], body: await json(request) };
    received.push(one);
    const answer = answers.shift() ?? { status: 200, body: {} };
    if (answer === 'hang') return;
    if (answer.status === 200) taken.push(one);
    const { retryAfter } = answer;
    response.writeHead(answer.status, {
      'content-type': 'application/json',
      ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
    });
    response.end(JSON.stringify(answer.body ?? {}));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: new URL(`${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}/`),
    received,
    answers,
    taken(kind) {
      const [outer, middle, inner] = ITEMS[kind];
      const of = taken.filter(({ path }) => path === `/v1/${kind}`);
      return of.flatMap(({ body }) =>
        body[outer].flatMap((o: never) => (o[middle] as never[]).flatMap((m) => m[inner])),
      );
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
}
