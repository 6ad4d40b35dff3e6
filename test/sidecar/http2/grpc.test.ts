import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Metadata, status } from '@grpc/grpc-js';
import { createCredentials } from '../../../sidecar/identity/credentials.ts';
import { type Pair, pair } from '../outbound/world.ts';
import { until } from '../sockets.ts';
import { ALLOW_WEB, WEB } from '../support.ts';
import { GrpcApp, GrpcClient, type Handlers, outcomeOf } from './grpc-app.ts';

type Chain = AsyncDisposable & { readonly pair: Pair; readonly app: GrpcApp; readonly client: GrpcClient };

/** grpc-js → outbound → mTLS → inbound → grpc-js. */
async function chain(
  handlers: Partial<Handlers> = {},
  options: Parameters<typeof pair>[0] = {},
): Promise<Chain> {
  const app = await GrpcApp.start(handlers);
  const inbound = { ...options.inbound, app: { host: '127.0.0.1', port: app.port, h2c: true as const } };
  const both = await pair({ ...options, inbound });
  const client = new GrpcClient(both.outbound.address);
  return {
    pair: both,
    app,
    client,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await both[Symbol.asyncDispose]();
      await app[Symbol.asyncDispose]();
    },
  };
}

describe('gRPC through both sidecars', () => {
  let c: Chain;
  let direct: GrpcClient;
  before(async () => {
    c = await chain();
    direct = new GrpcClient(`127.0.0.1:${c.app.port}`);
  });
  after(async () => {
    direct[Symbol.dispose]();
    await c[Symbol.asyncDispose]();
  });

  it('unary: message, metadata both ways, binary trailers; the app is told who called', async () => {
    const metadata = new Metadata();
    metadata.set('x-echo', 'here');
    metadata.set('x-signet-caller', 'spiffe://example.org/admin');
    const { code, messages, head, tail } = await c.client.unary('hello', metadata);
    assert.deepEqual([code, messages], [0, ['hello']]);
    assert.deepEqual(head?.get('x-echo'), ['here']);
    assert.deepEqual(head?.get('caller'), [WEB]);
    assert.deepEqual(tail?.get('x-trailer'), ['last']);
    assert.deepEqual(tail?.get('x-binary-bin'), [Buffer.from([0, 255, 10, 13])]);
  });

  for (const [what, ask] of [
    ['unary', (client: GrpcClient) => client.unary('hello')],
    ['an empty message', (client: GrpcClient) => client.unary('')],
    ['client streaming', (client: GrpcClient) => client.collect(['a', 'b', '', 'c'])],
    ['client streaming of nothing', (client: GrpcClient) => client.collect([])],
    ['server streaming', (client: GrpcClient) => client.repeat('again')],
    ['a megabyte both ways', (client: GrpcClient) => client.unary(Buffer.alloc(1_048_576, 'x'))],
    ['many large pieces', (client: GrpcClient) => client.collect(Array(40).fill(Buffer.alloc(65_537, 'y')))],
  ] as const)
    it(`${what}: as in a direct call`, async () => {
      const [ours, theirs] = [await ask(c.client), await ask(direct)];
      assert.deepEqual(
        [ours.code, ours.details, ours.messages],
        [theirs.code, theirs.details, theirs.messages],
      );
      assert.equal(ours.code, status.OK);
    });

  it('bidirectional: each answer comes before the next question', async () => {
    const call = c.client.talk();
    const answers: string[] = [];
    const outcome = outcomeOf(call);
    for (const word of ['one', 'two', 'three']) {
      const answered = once(call, 'data');
      call.write(Buffer.from(word));
      const [answer] = (await answered) as [Buffer];
      answers.push(String(answer));
    }
    call.end();
    assert.equal((await outcome).code, status.OK);
    assert.deepEqual(answers, ['one', 'two', 'three']);
  });

  it('a hundred calls at once share a connection at each hop', async () => {
    const outcomes = await Promise.all(Array.from({ length: 100 }, (_, i) => c.client.unary(`call ${i}`)));
    assert.deepEqual(
      outcomes.map(({ messages }) => messages[0]),
      outcomes.map((_, i) => `call ${i}`),
    );
    assert.equal(c.pair.inbound.connections, 1);
  });

  it('each call is a decision of its own', async () => {
    c.pair.audit.events.length = 0;
    await c.client.unary('hello');
    await c.client.repeat('hello');
    assert.deepEqual(
      c.pair.audit.events.map(({ effect, method, path }) => [effect, method, path]),
      [
        ['allow', 'POST', '/shop.Echo/Unary'],
        ['allow', 'POST', '/shop.Echo/Repeat'],
      ],
    );
  });
});

describe('gRPC: how calls end', () => {
  const deny = { name: 'no-talk', effect: 'deny', when: { path: { like: '/shop.Echo/Talk' } } };

  it('an error of the app comes through with its message and trailers', async () => {
    const metadata = new Metadata();
    metadata.set('x-why', 'because');
    await using c = await chain({
      unary: (_call, reply) => reply({ code: status.FAILED_PRECONDITION, details: 'nö', metadata }),
    });
    const { code, details, tail } = await c.client.unary('hello');
    assert.deepEqual([code, details, tail?.get('x-why')], [status.FAILED_PRECONDITION, 'nö', ['because']]);
  });

  it('a denial is PERMISSION_DENIED and names the rule; other calls of the connection go on', async () => {
    await using c = await chain({}, { inbound: { documents: [ALLOW_WEB, deny] } });
    const { code, details } = await outcomeOf(c.client.talk());
    assert.equal(code, status.PERMISSION_DENIED);
    assert.match(details, /^policy_denied: policy no-talk denies POST \/shop\.Echo\/Talk/);
    assert.equal((await c.client.unary('hello')).code, status.OK);
  });

  it('a thousand denials on one connection are that, and cost no other call', async () => {
    await using c = await chain(
      {},
      { inbound: { documents: [ALLOW_WEB, { ...deny, when: { path: { like: '/shop.Echo/Unary' } } }] } },
    );
    const codes: Record<number, number> = {};
    const denied = async () => {
      for (let i = 0; i < 100; i++) {
        const { code } = await c.client.unary('hello');
        codes[code] = (codes[code] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: 10 }, denied));
    assert.deepEqual(codes, { [status.PERMISSION_DENIED]: 1_000 });
    assert.equal((await c.client.repeat('again')).code, status.OK);
    assert.equal(c.pair.inbound.connections, 1);
  });

  it('without an identity: UNAVAILABLE', async () => {
    await using c = await chain({}, { outbound: { credentials: createCredentials() } });
    const { code, details } = await c.client.unary('hello');
    assert.equal(code, status.UNAVAILABLE);
    assert.match(details, /^no_svid/);
  });

  it('an unknown upstream: UNIMPLEMENTED, naming those there are', async () => {
    await using c = await chain();
    using stranger = new GrpcClient(c.pair.outbound.address, { 'grpc.default_authority': 'billing' });
    const { code, details } = await stranger.unary('hello');
    assert.equal(code, status.UNIMPLEMENTED);
    assert.match(details, /billing; there are: orders/);
  });

  it('an app that is down: UNAVAILABLE', async () => {
    await using c = await chain();
    await c.app[Symbol.asyncDispose]();
    const { code, details } = await c.client.unary('hello');
    assert.equal(code, status.UNAVAILABLE);
    assert.match(details, /^app_/);
  });

  it('an app that dies in the middle of a stream: UNAVAILABLE, after what had come', async () => {
    await using c = await chain();
    const call = c.client.talk();
    const outcome = outcomeOf(call);
    call.write(Buffer.from('one'));
    await once(call, 'data');
    await c.app[Symbol.asyncDispose]();
    const { code, messages } = await outcome;
    assert.deepEqual([code, messages], [status.UNAVAILABLE, ['one']]);
  });

  it('a deadline ends the call at both ends', async () => {
    let cancelled = false;
    await using c = await chain({
      unary: (call) => {
        call.on('cancelled', () => {
          cancelled = true;
        });
      },
    });
    const { code } = await c.client.unary('hello', new Metadata(), 300);
    assert.equal(code, status.DEADLINE_EXCEEDED);
    await until(() => cancelled);
  });

  it('the app is told how long the caller will wait', async () => {
    let timeout = 0;
    await using c = await chain({
      unary: (call, reply) => {
        timeout = Number(call.getDeadline()) - Date.now();
        reply(null, Buffer.from('ok'));
      },
    });
    await c.client.unary('hello', new Metadata(), 5_000);
    assert.ok(timeout > 3_000 && timeout <= 5_000, `${timeout}`);
  });

  it('a call that its caller cancels is cancelled at the app', async () => {
    let cancelled = false;
    await using c = await chain({
      talk: (call) => {
        call.on('cancelled', () => {
          cancelled = true;
        });
        call.on('data', (piece: Buffer) => call.write(piece));
      },
    });
    const call = c.client.talk();
    const outcome = outcomeOf(call);
    call.write(Buffer.from('one'));
    await once(call, 'data');
    call.cancel();
    assert.equal((await outcome).code, status.CANCELLED);
    await until(() => cancelled);
  });

  it('an app that has enough before the caller has ended may answer', async () => {
    await using c = await chain({
      collect: (call, reply) => {
        call.once('data', () => reply(null, Buffer.from('enough')));
      },
    });
    const { code, messages } = await c.client.collect(Array(50).fill(Buffer.alloc(16_384)));
    assert.deepEqual([code, messages], [status.OK, ['enough']]);
  });

  it('a stream may be quiet for longer than anything else may', async () => {
    const limits = { stallMs: 300, responseMs: 300 };
    await using c = await chain({}, { inbound: { limits }, outbound: { limits } });
    const call = c.client.talk();
    const outcome = outcomeOf(call);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    call.write(Buffer.from('one'));
    await once(call, 'data');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    call.write(Buffer.from('two'));
    call.end();
    const { code, messages } = await outcome;
    assert.deepEqual([code, messages], [status.OK, ['one', 'two']]);
  });
});
