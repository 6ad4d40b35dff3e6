// The service `orders` of the demo: a plain HTTP server that knows nothing of Signet. It tells who its sidecar says is calling.
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  const body = JSON.stringify({
    order: request.url?.split('/').at(-1),
    caller: request.headers['x-signet-caller'],
  });
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.error(
    JSON.stringify({ event: 'listening', port: typeof address === 'object' ? address?.port : undefined }),
  );
});
process.on('SIGTERM', () => server.close(() => process.exit(0)));
