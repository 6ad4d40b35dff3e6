// The service `orders` of the demo: ordinary servers that know nothing of Signet. On one port it speaks HTTP/1.1, WebSocket, HTTP/2
// without TLS and gRPC, and tells who its sidecar says is calling; on two more, protocols of its own, made of lines.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import { eachLine } from './lines.ts';
import { createGrpc } from './orders-grpc.ts';

const json = { 'content-type': 'application/json' };

const http1 = createServer((request, response) => {
  const body = order(request.url, request.headers['x-signet-caller'], request.httpVersion);
  response.writeHead(200, { ...json, 'content-length': Buffer.byteLength(body) });
  response.end(body);
});

const webSockets = new WebSocketServer({ noServer: true });
http1.on('upgrade', (request, socket, head) =>
  webSockets.handleUpgrade(request, socket, head, (webSocket) => {
    const id = request.url?.split('/')[2];
    webSocket.on('message', (message) => webSocket.send(`order ${id}: ${message}`));
  }),
);

const grpc = createGrpc();
const http2 = createHttp2Server();
http2.on('stream', (stream: ServerHttp2Stream, fields) => {
  stream.on('error', () => {});
  if (fields['content-type']?.startsWith('application/grpc')) {
    grpc.serve(stream, fields);
    return;
  }
  stream.respond({ ':status': 200, ...json });
  stream.end(order(fields[':path'], fields['x-signet-caller'], '2.0'));
});

const stock = lines((item) => `${item}: 7 left`);
const ledger = lines((order) => `${order}: 120.00 EUR`);
const front = createTcpServer((socket) => {
  socket.on('error', () => {});
  socket.on('readable', function look() {
    const start = socket.read(3);
    if (start === null) return;
    socket.off('readable', look);
    socket.unshift(start);
    // every HTTP/2 connection begins with this word, which is no method
    (start.toString() === 'PRI' ? http2 : http1).emit('connection', socket);
  });
});

const [port, ...raw] = await Promise.all([front, stock, ledger].map(listen));
console.error(
  JSON.stringify({ event: 'listening', port, h2c: true, tcp: { stock: raw[0], ledger: raw[1] } }),
);
process.on('SIGTERM', () => front.close(() => process.exit(0)));

function order(url: string | undefined, caller: unknown, http: string): string {
  return JSON.stringify({ order: url?.split('/').at(-1), caller, http });
}

/** A server that answers each line with one. */
function lines(answer: (line: string) => string): Server {
  return createTcpServer((socket: Socket) => {
    socket.on('error', () => {});
    eachLine(socket, (line) => socket.write(`${answer(line)}\n`));
  });
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
