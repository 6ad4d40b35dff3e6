import type { GrpcOutcome, Answer as Http2Answer, TcpOutcome, WebSocketOutcome } from '../apps/web-calls.ts';
import type { World } from '../world.ts';
import { ask, expect, type Shown } from './shown.ts';

/** What policy judged, as the audit has to have it. */
export type Judged = {
  readonly effect: 'allow' | 'deny';
  readonly method: string;
  readonly path: string;
};

/** Statuses of gRPC. */
const OK = 0;
const PERMISSION_DENIED = 7;

/** Requests by HTTP/2, at once on one connection of `web`: each is judged by itself. */
export async function http2(world: World): Promise<Shown<readonly Judged[]>> {
  const answers = await call<readonly Http2Answer[]>(world, 'http2');
  const refused = answers.filter(({ status }) => status === 403);
  const orders = answers.filter(({ status }) => status === 200).map(({ body }) => JSON.parse(body));
  expect(refused.length === 1 && orders.length === 3, 'three answers and one refusal', answers);
  const { rule } = JSON.parse(refused[0]!.body);
  expect(rule === 'orders-never-deleted', 'the rule that decided', refused);
  expect(
    orders.every(({ http, caller }) => http === '2.0' && caller === world.web.id),
    "HTTP/2 and the caller's ID at the app",
    orders,
  );
  return {
    title: 'http/2',
    facts: `3 GET and a DELETE at once on one connection of web: 200 for each GET, also by HTTP/2 at the app; 403 for DELETE, rule ${rule}`,
    found: [
      ...['51', '52', '53'].map((id) => judged('allow', 'GET', `/orders/${id}`)),
      judged('deny', 'DELETE', '/orders/52'),
    ],
  };
}

/** A gRPC call that streams its answers, and one that no policy allows. */
export async function grpc(world: World): Promise<Shown<readonly Judged[]>> {
  const { track, cancel } = await call<{ track: GrpcOutcome; cancel: GrpcOutcome }>(world, 'grpc');
  const steps = track.messages.map(({ step }) => step);
  expect(track.code === OK && steps.length === 3, 'three messages and OK', track);
  expect(
    track.messages.every(({ caller }) => caller === world.web.id),
    "the caller's ID at the app",
    track,
  );
  expect(
    cancel.code === PERMISSION_DENIED && cancel.details.startsWith('no_rule: '),
    'PERMISSION_DENIED by policy',
    cancel,
  );
  return {
    title: 'grpc',
    facts: `shop.Orders/Track by web: ${steps.join(', ')}, OK; shop.Orders/Cancel: PERMISSION_DENIED, ${cancel.details}`,
    found: [judged('allow', 'POST', '/shop.Orders/Track'), judged('deny', 'POST', '/shop.Orders/Cancel')],
  };
}

/** A WebSocket, and one that no policy allows: its handshake is answered as any request. */
export async function webSocket(world: World): Promise<Shown<readonly Judged[]>> {
  const opened = await call<WebSocketOutcome | Http2Answer>(world, 'websocket');
  expect('answers' in opened && opened.closed === 1000, 'a WebSocket that ends well', opened);
  const { answers } = opened;
  expect(answers.length === 3 && answers[0] === 'order 42: packed?', 'three answers', answers);
  const refused = await call<WebSocketOutcome | Http2Answer>(world, 'websocket-refused');
  expect('status' in refused && refused.status === 403, 'the handshake refused', refused);
  return {
    title: 'websocket',
    facts: `/orders/42/events by web: 3 messages each way, closed with ${opened.closed}; /ledger/events: 403, ${JSON.parse(refused.body).detail}`,
    found: [judged('allow', 'GET', '/orders/42/events'), judged('deny', 'GET', '/ledger/events')],
  };
}

/** Connections without a protocol that Signet knows: `web` may have the one to the app's port `stock`, and none to `ledger`. */
export async function tcp(world: World): Promise<Shown<readonly Judged[]>> {
  const stock = await call<TcpOutcome>(world, 'stock');
  expect(stock.error === null && stock.answers.length === 2, 'two answers and a whole end', stock);
  const ledger = await call<TcpOutcome>(world, 'ledger');
  expect(ledger.error === 'ECONNRESET' && ledger.answers.length === 0, 'a reset, and not a byte', ledger);
  const { tcpPorts } = world.orders;
  return {
    title: 'tcp',
    facts: `web asks stock, which has a protocol of its own: ${stock.answers.join(', ')}; its connection to ledger, which no policy allows: ${ledger.error}`,
    found: [
      judged('allow', 'CONNECT', `/tcp/${tcpPorts['stock']}`),
      judged('deny', 'CONNECT', `/tcp/${tcpPorts['ledger']}`),
    ],
  };
}

/** Has the app `web` call `orders`, and tell what came of it. */
async function call<T>({ web }: World, what: string): Promise<T> {
  const answer = await ask(web, 'GET', `/calls/${what}`);
  expect(answer.status === 200, `web to call by ${what}`, answer);
  return JSON.parse(answer.body) as T;
}

function judged(effect: Judged['effect'], method: string, path: string): Judged {
  return { effect, method, path };
}
