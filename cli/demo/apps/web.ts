// The service `web` of the demo: a plain HTTP server that knows nothing of Signet. Whatever it is asked, it asks of `orders`,
// by plain HTTP through the proxy at ORDERS_PROXY, as an app would that was given an HTTP proxy.
import { Agent, request as ask, createServer } from 'node:http';

const [host = '', port = ''] = (process.env['ORDERS_PROXY'] ?? '').split(':');
const agent = new Agent({ keepAlive: true, maxSockets: 16 });

const server = createServer((request, response) => {
  const onward = ask(
    { host, port, agent, method: request.method, path: request.url, headers: { host: 'orders' } },
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
process.on('SIGTERM', () => server.close(() => process.exit(0)));
