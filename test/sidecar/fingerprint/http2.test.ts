import assert from 'node:assert/strict';
import { type ClientHttp2Session, connect } from 'node:http2';
import type { ProvenRequest } from '../../../lib/fingerprint/index.ts';
import { ask } from '../http2/world.ts';
import type { Pair } from '../outbound/world.ts';
import { dialTls } from '../sockets.ts';
import { channelOn, digestOf, GET, makerOn } from './caller.ts';
import { provenPair } from './world.ts';

type Streams = Disposable & {
  readonly assertion: string;
  proof(request?: Partial<ProvenRequest>): string;
  /** @returns the status, and the code where it is a problem */
  ask(fields: Record<string, string | number | readonly string[]>, body?: string): Promise<string>;
};

async function streams(w: Pair): Promise<Streams> {
  const { socket } = await dialTls(w.inbound.address, w.web, { ALPNProtocols: ['h2'] });
  socket.removeAllListeners('data');
  const maker = makerOn(channelOn(socket), w.web, 'channel');
  const session: ClientHttp2Session = connect('https://orders', { createConnection: () => socket });
  session.on('error', () => {});
  return {
    assertion: maker.assertion(new Date())!,
    proof: (request = {}) => maker.make({ ...GET, ...request }, new Date()),
    async ask(fields, body) {
      const answer = await ask(session, { ':path': '/a', ...(fields as Record<string, string>) }, body);
      return answer.status === 200 ? '200' : `${answer.status} ${JSON.parse(answer.body).code}`;
    },
    [Symbol.dispose]: () => session.destroy(),
  };
}

const PROOF = 'workload-proof-token';
const CHANNEL = 'x-signet-channel';

describe('proofs of HTTP/2 streams', () => {
  it('hold once, in whatever order they come', async () => {
    await using w = await provenPair();
    using caller = await streams(w);
    const proofs = Array.from({ length: 50 }, () => caller.proof());
    const lines = (i: number) => ({ [PROOF]: proofs[i]!, [CHANNEL]: caller.assertion });
    const order = proofs.map((_, i) => (i * 37) % 50);
    assert.deepEqual(new Set(await Promise.all(order.map((i) => caller.ask(lines(i))))), new Set(['200']));
    assert.deepEqual(
      new Set(await Promise.all(order.map((i) => caller.ask(lines(i))))),
      new Set(['401 proof_replayed']),
    );
    assert.equal(w.audit.events.at(-1)!['code'], 'proof_replayed');
  });

  it('mean nothing before one of them says whose the connection is', async () => {
    await using w = await provenPair();
    using caller = await streams(w);
    assert.equal(await caller.ask({ [PROOF]: caller.proof() }), '401 proof_channel');
    assert.equal(await caller.ask({ [PROOF]: caller.proof(), [CHANNEL]: caller.assertion }), '200');
    assert.equal(await caller.ask({ [PROOF]: caller.proof() }), '200');
  });

  it('are for that request alone', async () => {
    await using w = await provenPair();
    using caller = await streams(w);
    const known = { [CHANNEL]: caller.assertion };
    const post = { ...known, ':method': 'POST', 'content-length': 5 };
    const digest = () => caller.proof({ method: 'POST', body: digestOf('hello') });
    assert.equal(await caller.ask({ ...known }), '401 proof_missing');
    assert.equal(
      await caller.ask({ ...known, [PROOF]: [caller.proof(), caller.proof()] }),
      '401 proof_malformed',
    );
    assert.equal(await caller.ask({ ...known, [PROOF]: caller.proof(), ':path': '/b' }), '401 proof_path');
    assert.equal(await caller.ask({ ...known, [PROOF]: caller.proof(), ':path': '/a?' }), '401 proof_query');
    assert.equal(
      await caller.ask({ ...known, [PROOF]: caller.proof(), ':method': 'PUT' }),
      '401 proof_method',
    );
    assert.equal(
      await caller.ask({ ...known, [PROOF]: caller.proof(), ':authority': 'other' }),
      '401 proof_audience',
    );
    assert.equal(await caller.ask({ ...post, [PROOF]: digest() }, 'hallo'), '401 proof_body');
    assert.equal(
      await caller.ask({ ...post, [PROOF]: caller.proof({ method: 'POST' }) }, 'hello'),
      '401 proof_body',
    );
    const { 'content-length': _, ...untold } = post;
    assert.equal(await caller.ask({ ...untold, [PROOF]: digest() }, 'hello'), '401 proof_body');
    assert.equal(w.app.received, '');
    assert.equal(await caller.ask({ ...post, [PROOF]: digest() }, 'hello'), '200');
    const uncovered = caller.proof({ method: 'POST', body: 'uncovered' });
    assert.equal(await caller.ask({ ...untold, [PROOF]: uncovered }, 'hello'), '200');
  });
});
