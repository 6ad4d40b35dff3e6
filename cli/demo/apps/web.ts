// The service `web` of the demo: a plain HTTP server that knows nothing of Signet. Whatever it is asked, it asks of `orders`, by plain
// HTTP through the proxy at ORDERS_PROXY, as an app would that was given an HTTP proxy. Below /calls/ it asks by other protocols, and
// tells what came of it.
import { Agent, request as ask, createServer, type IncomingMessage } from 'node:http';
import { byGrpc, byHttp2, byTcp, byWebSocket } from './web-calls.ts';

const { ORDERS_PROXY: proxy = '', STOCK: stock = '', LEDGER: ledger = '' } = process.env;
const [host = '', port = ''] = proxy.split(':');
const agent = new Agent({ keepAlive: true, maxSockets: 16 });

const calls: Readonly<Record<string, () => Promise<unknown>>> = {
  '/calls/http2': () =>
    byHttp2(proxy, [
      ['GET', '/orders/51'],
      ['GET', '/orders/52'],
      ['DELETE', '/orders/52'],
      ['GET', '/orders/53'],
    ]),
  '/calls/grpc': () => byGrpc(proxy, { order: '42' }),
  '/calls/websocket': () => byWebSocket(proxy, '/orders/42/events', ['packed?', 'shipped?', 'delivered?']),
  '/calls/websocket-refused': () => byWebSocket(proxy, '/ledger/events', []),
  '/calls/stock': () => byTcp(stock, ['tea', 'rice']),
  '/calls/ledger': () => byTcp(ledger, ['42']),
};

/** What an app passes on with its own calls: whom it acts for, and the trace. */
const PASSED_ON = ['authorization', 'traceparent', 'tracestate'];

const server = createServer((request, response) => {
  const call = calls[request.url ?? ''];
  if (call !== undefined) {
    call().then(
      (outcome) => response.end(JSON.stringify(outcome)),
      (error) => response.writeHead(502).end(String(error)),
    );
    return;
  }
  const onward = ask(
    {
      host,
      port,
      agent,
      method: request.method,
      path: request.url,
      headers: { ...passedOn(request), host: 'orders' },
    },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, {
        'content-type': answer.headers['content-type'] ?? 'text/plain',
      });
      answer.pipe(response);
    },
  );
  onward.on('error', (error) => {
    response.writeHead(502).end(error.message);
  });
  request.pipe(onward);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.error(
    JSON.stringify({ event: 'listening', port: typeof address === 'object' ? address?.port : undefined }),
  );
});
function passedOn({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    PASSED_ON.flatMap((name) => (typeof headers[name] === 'string' ? [[name, headers[name]]] : [])),
  );
}

process.on('SIGTERM', () => server.close(() => process.exit(0)));
