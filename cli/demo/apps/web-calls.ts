import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { WebSocket } from 'ws';
import { eachLine } from './lines.ts';
import { ORDERS_SERVICE, type Order, type Step } from './orders-service.ts';

export type Answer = { readonly status: number; readonly body: string };
export type GrpcOutcome = {
  readonly messages: readonly Step[];
  readonly code: number;
  readonly details: string;
};
export type WebSocketOutcome = { readonly answers: readonly string[]; readonly closed: number };
/** What came, and the error by which it ended. */
export type TcpOutcome = { readonly answers: readonly string[]; readonly error: string | null };

/** Requests at once, as streams of one connection. */
export async function byHttp2(
  proxy: string,
  requests: readonly (readonly [method: string, path: string])[],
): Promise<Answer[]> {
  const session = connectHttp2(`http://${proxy}`);
  try {
    return await Promise.all(requests.map(([method, path]) => askHttp2(session, method, path)));
  } finally {
    session.close();
  }
}

async function askHttp2(session: ClientHttp2Session, method: string, path: string): Promise<Answer> {
  const stream = session.request({ ':method': method, ':path': path, ':authority': 'orders' });
  const [head] = await once(stream, 'response');
  return { status: head[':status'], body: await text(stream) };
}

/** One call that streams its answers, and one that does not. */
export async function byGrpc(
  proxy: string,
  order: Order,
): Promise<{ track: GrpcOutcome; cancel: GrpcOutcome }> {
  const client = new Client(proxy, credentials.createInsecure(), {
    'grpc.default_authority': 'orders',
    'grpc.enable_http_proxy': 0,
  });
  const { track, cancel } = ORDERS_SERVICE;
  try {
    const tracked = client.makeServerStreamRequest(
      track.path,
      track.requestSerialize,
      track.responseDeserialize,
      order,
    );
    const messages: Step[] = [];
    tracked.on('data', (step: Step) => messages.push(step));
    // the status tells the same
    tracked.on('error', () => {});
    const [{ code, details }] = await once(tracked, 'status');
    const cancelled = await new Promise<GrpcOutcome>((resolve) => {
      const settle = (error: ServiceError | null, step?: Step) =>
        resolve({
          messages: step === undefined ? [] : [step],
          code: error?.code ?? 0,
          details: error?.details ?? '',
        });
      client.makeUnaryRequest(
        cancel.path,
        cancel.requestSerialize,
        cancel.responseDeserialize,
        order,
        settle,
      );
    });
    return { track: { messages, code, details }, cancel: cancelled };
  } finally {
    client.close();
  }
}

/** Sends messages and waits for as many; an HTTP answer instead of a WebSocket is told as such. */
export async function byWebSocket(
  proxy: string,
  path: string,
  messages: readonly string[],
): Promise<WebSocketOutcome | Answer> {
  const socket = new WebSocket(`ws://${proxy}${path}`, { headers: { host: 'orders' } });
  const answers: string[] = [];
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('unexpected-response', (_request, response: IncomingMessage) =>
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject),
    );
    socket.on('open', () => {
      for (const message of messages) socket.send(message);
    });
    socket.on('message', (answer) => {
      if (answers.push(String(answer)) === messages.length) socket.close(1000);
    });
    socket.on('close', (closed) => resolve({ answers, closed }));
  });
}

/** Says its lines, ends when each has its answer, and tells how the connection ended. */
export function byTcp(address: string, lines: readonly string[]): Promise<TcpOutcome> {
  const [host = '', port = ''] = address.split(':');
  const socket = connect({ host, port: Number(port) });
  socket.write(lines.map((line) => `${line}\n`).join(''));
  const answers: string[] = [];
  let error: string | null = null;
  eachLine(socket, (answer) => {
    if (answers.push(answer) === lines.length) socket.end();
  });
  return new Promise((resolve) => {
    socket.on('error', ({ code, message }: NodeJS.ErrnoException) => {
      error = code ?? message;
    });
    socket.on('close', () => resolve({ answers, error }));
  });
}
