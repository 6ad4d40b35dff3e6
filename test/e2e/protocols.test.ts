import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { WebSocket, WebSocketServer } from 'ws';
import type { LoggingProcess } from '../../harness/processes.ts';
import { GrpcApp, GrpcClient, outcomeOf } from '../sidecar/http2/grpc-app.ts';
import { dialPlain, portOf, type RawClient, RawServer, until } from '../sidecar/sockets.ts';
import { createWorld, type World } from './world.ts';

/** `orders` with what is behind it, and `web`, which may call it. */
type Pair = { readonly orders: LoggingProcess; readonly web: LoggingProcess };

/** An app of WebSockets, and one of raw connections: both give back what they get. */
class Echoes implements AsyncDisposable {
  readonly http: Server = createServer();
  raw!: RawServer;
  readonly sockets = new WebSocketServer({ server: this.http });

  static async start(): Promise<Echoes> {
    const echoes = new Echoes();
    echoes.sockets.on('connection', (socket) => {
      socket.on('error', () => {});
      socket.on('message', (message) => socket.send(String(message)));
    });
    echoes.http.listen(0, '127.0.0.1');
    await once(echoes.http, 'listening');
    echoes.raw = await RawServer.start(() => {});
    echoes.raw.onConnection = ({ socket }) => void socket.on('data', (piece: Buffer) => socket.write(piece));
    return echoes;
  }

  get httpPort(): number {
    return (this.http.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets.clients) socket.terminate();
    this.http.close();
    await this.raw[Symbol.asyncDispose]();
  }
}

/** Starts both sidecars, under names of this pair's own. `inbound` is what `orders` forwards, and `tcpAllowed` to which port by raw connections. */
async function startPair(world: World, name: string, inbound: string, tcpAllowed = 1): Promise<Pair> {
  const callee = await world.register(`${name}-orders`);
  const caller = await world.register(`${name}-web`);
  const policy = join(world.dir, `${name}-policy.json`);
  const allow = (rule: string, when: object) => ({
    ...{ name: rule, level: 'application', target: callee.id, effect: 'allow', mode: 'enforce' },
    when: { all: [{ caller: { is: caller.id } }, when] },
  });
  await writeFile(
    policy,
    JSON.stringify([
      allow('web-asks', { method: { in: ['GET', 'POST'] } }),
      allow('web-connects', { path: { is: `/tcp/${tcpAllowed}` } }),
    ]),
  );
  const orders = await world.sidecar(callee, {
    SIGNET_MODE: 'service',
    SIGNET_INBOUND: inbound,
    SIGNET_POLICY_FILE: policy,
  });
  await orders.waitForEvent('ready');
  const [http, raw] = orders.logs().flatMap(({ what, address }) => (what === 'inbound' ? [address] : []));
  const upstreams = [`orders=${http}#${callee.id}`];
  if (raw !== undefined) upstreams.push(`raw@tcp:127.0.0.1:0=${raw}#${callee.id}`);
  const web = await world.sidecar(caller, {
    SIGNET_MODE: 'service',
    SIGNET_OUTBOUND: '127.0.0.1:0',
    SIGNET_UPSTREAMS: upstreams.join(' '),
  });
  await web.waitForEvent('ready');
  return { orders, web };
}

async function rawAddress({ web }: Pair): Promise<string> {
  return String((await web.waitForEvent('listening', ({ upstream }) => upstream === 'raw'))['address']);
}

/** A new SVID for both ends. */
async function rotate({ orders, web }: Pair): Promise<void> {
  for (const sidecar of [orders, web]) {
    const renewed = sidecar.nextEvent('svid');
    sidecar.send('SIGHUP');
    await renewed;
  }
}

describe('long connections through processes', function () {
  this.timeout(90_000);
  let world: World;
  let apps: Echoes;
  before(async () => {
    world = await createWorld();
    apps = await Echoes.start();
  });
  after(async () => {
    await world[Symbol.asyncDispose]();
    await apps[Symbol.asyncDispose]();
  });

  const forwards = () =>
    `127.0.0.1:0->127.0.0.1:${apps.httpPort} tcp:127.0.0.1:0->127.0.0.1:${apps.raw.port}`;
  const openSocket = async ({ web }: Pair) => {
    const socket = new WebSocket(`ws://${await web.addressOf('outbound')}/echo`, {
      headers: { host: 'orders' },
    });
    await once(socket, 'open');
    return socket;
  };
  const echo = async (socket: WebSocket, text: string) => {
    const heard = once(socket, 'message');
    socket.send(text);
    assert.equal(String((await heard)[0]), text);
  };
  const echoRaw = async (client: RawClient, text: string) => {
    client.send(text);
    await client.hears((all) => all.endsWith(text));
  };

  it('a raw one that is refused ends in a reset, also when its caller has said all it had to say', async () => {
    const port = portOf(await rawAddress(await startPair(world, 'refused', forwards())));
    const ends: Record<string, number> = {};
    const lane = async () => {
      for (let i = 0; i < 100; i++) {
        const socket = connect({ host: '127.0.0.1', port });
        let end = 'whole';
        socket.on('error', ({ code }: NodeJS.ErrnoException) => {
          end = code ?? 'error';
        });
        socket.end('all of it');
        socket.resume();
        await new Promise((resolve) => socket.on('close', resolve));
        ends[end] = (ends[end] ?? 0) + 1;
      }
    };
    await Promise.all([lane(), lane(), lane()]);
    assert.deepEqual(ends, { ECONNRESET: 300 });
    assert.equal(apps.raw.received, '');
  });

  it('a WebSocket and a raw one outlive rotations of both ends, and SIGTERM until they end or its time is over', async () => {
    const pair = await startPair(world, 'lasting', forwards(), apps.raw.port);
    const { orders } = pair;
    const raw = await rawAddress(pair);
    const [leaving, staying] = [await openSocket(pair), await openSocket(pair)];
    using leavingRaw = await dialPlain(raw);
    using stayingRaw = await dialPlain(raw);
    const allEcho = async (text: string) => {
      for (const socket of [leaving, staying]) await echo(socket, text);
      for (const client of [leavingRaw, stayingRaw]) await echoRaw(client, text);
    };
    for (const round of ['one', 'two', 'three']) {
      await allEcho(round);
      await rotate(pair);
    }
    await allEcho('rotated');
    orders.send('SIGTERM');
    await orders.waitForEvent('stopping');
    await allEcho('stopping');
    using late = await dialPlain(raw);
    await late.ends();
    assert.equal(late.error?.code, 'ECONNRESET');

    leaving.close(1000);
    assert.equal((await once(leaving, 'close'))[0], 1000);
    leavingRaw.socket.end();
    await leavingRaw.ends();
    assert.equal(leavingRaw.error, null);
    assert.equal((await once(staying, 'close'))[0], 1001);
    await stayingRaw.ends();
    assert.equal(stayingRaw.error?.code, 'ECONNRESET');
    assert.deepEqual(await orders.ended, { code: 0, signal: null });
    const audit = await readFile(join(world.dir, 'lasting-orders-audit.jsonl'), 'utf8');
    const ends = audit
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ type }) => type === 'end');
    assert.deepEqual(ends.map(({ protocol, reason }) => `${protocol} ${reason}`).toSorted(), [
      'tcp drained',
      'tcp ended',
      'websocket drained',
      'websocket ended',
    ]);
  });

  it('streams of gRPC lose nothing while both ends rotate', async () => {
    await using app = await GrpcApp.start();
    const pair = await startPair(world, 'streaming', `127.0.0.1:0->h2c://127.0.0.1:${app.port}`);
    using client = new GrpcClient(await pair.web.addressOf('outbound'));
    let rotated = false;
    /** Answers so far: of eight streams that go on, and of two callers that begin one after the other. */
    const answers = Array<number>(10).fill(0);
    const lasting = async (_: unknown, lane: number) => {
      const call = client.talk();
      const outcome = outcomeOf(call);
      while (!rotated) {
        const answered = once(call, 'data');
        call.write(Buffer.from(`${lane} ${answers[lane]!++}`));
        await answered;
      }
      call.end();
      const { code, messages } = await outcome;
      assert.equal(code, 0);
      assert.deepEqual(
        messages,
        Array.from({ length: answers[lane]! }, (_, i) => `${lane} ${i}`),
      );
    };
    const short = async (lane: number) => {
      for (; !rotated; answers[lane]!++) {
        const { code, messages } = await client.repeat('again');
        assert.deepEqual([code, messages.length], [0, 10]);
      }
    };
    const lanes = Promise.all([...Array.from({ length: 8 }, lasting), short(8), short(9)]);
    // what a lane finds wrong is told where it is awaited
    lanes.catch(() => {
      rotated = true;
    });
    for (let i = 0; i < 3; i++) {
      await rotate(pair);
      const before = [...answers];
      await until(() => rotated || answers.every((count, lane) => count >= before[lane]! + 3));
    }
    rotated = true;
    await lanes;
  });
});
