import assert from 'node:assert/strict';
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { ProofMaker } from '../../../lib/fingerprint/index.ts';
import { credentialsFor, WEB } from '../support.ts';
import { channelLine, digestOf, type ProvingCaller, proofLine, provingCaller } from './caller.ts';
import { provenPair } from './world.ts';

const encode = (text: string | Buffer) => Buffer.from(text).toString('base64url');
const seconds = (n: number) => new Date(Date.now() + n * 1000);

/** Header lines of a request, from a caller whose connection is known to be its own. */
type Attack = (caller: ProvingCaller) => {
  readonly line?: string;
  readonly headers: readonly string[];
  readonly body?: string;
};

const proven = (...tokens: readonly string[]) => ({ headers: tokens.map(proofLine) });
const POST = { method: 'POST' };
const hello = (token: string, body: string, framing = `Content-Length: ${body.length}`) => ({
  line: 'POST /a',
  headers: [proofLine(token), framing],
  body,
});

const ATTACKS: Readonly<Record<string, readonly [code: string, attack: Attack]>> = {
  'no proof': ['proof_missing', () => ({ headers: [] })],
  'a proof in another spelling': [
    'proof_malformed',
    (c) => ({ headers: [`Workload_Proof_Token: ${c.proof()}`] }),
  ],
  'two proofs': ['proof_malformed', (c) => proven(c.proof(), c.proof())],
  'one proof twice': [
    'proof_malformed',
    (c) => {
      const token = c.proof();
      return proven(token, token);
    },
  ],
  'a proof and an empty one': ['proof_malformed', (c) => proven(c.proof(), '')],
  'an empty proof': ['proof_malformed', () => proven('')],
  'a proof and its alias': [
    'proof_malformed',
    (c) => ({ headers: [proofLine(c.proof()), `workload.proof.token: ${c.proof()}`] }),
  ],
  'a proof that Connection takes for its own': [
    'proof_missing',
    (c) => ({ headers: ['Connection: x-proof', `x-proof: ${c.proof()}`] }),
  ],
  'another method': ['proof_method', (c) => ({ line: 'DELETE /a', ...proven(c.proof()) })],
  'another path': ['proof_path', (c) => ({ line: 'GET /b', ...proven(c.proof()) })],
  'a longer path': ['proof_path', (c) => ({ line: 'GET /a/b', ...proven(c.proof()) })],
  'a query': ['proof_query', (c) => ({ line: 'GET /a?all', ...proven(c.proof()) })],
  'another query': [
    'proof_query',
    (c) => ({ line: 'GET /a?x=2', ...proven(c.proof({ query: Buffer.from('x=1') })) }),
  ],
  'no query': ['proof_query', (c) => proven(c.proof({ query: Buffer.from('x=1') }))],
  'another host': ['proof_audience', (c) => proven(c.proof({ host: 'other' }))],
  'another body': ['proof_body', (c) => hello(c.proof({ ...POST, body: digestOf('hello') }), 'hallo')],
  'a body where there is to be none': ['proof_body', (c) => hello(c.proof(POST), 'hello')],
  'no body where there is to be one': [
    'proof_body',
    (c) => ({ line: 'POST /a', ...proven(c.proof({ ...POST, body: digestOf('hello') })) }),
  ],
  'a body that was to be covered and is said not to be': [
    'proof_body',
    (c) => hello(c.proof({ ...POST, body: 'uncovered' }), 'hello'),
  ],
  'a covered body in chunks': [
    'proof_body',
    (c) =>
      hello(
        c.proof({ ...POST, body: digestOf('hello') }),
        '5\r\nhello\r\n0\r\n\r\n',
        'Transfer-Encoding: chunked',
      ),
  ],
  expired: ['proof_expired', (c) => proven(c.proof({}, seconds(-16)))],
  'from the future': ['proof_future', (c) => proven(c.proof({}, seconds(7)))],
  'signed by no one (alg none)': ['proof_malformed', (c) => proven(forged(c, 'none', () => ''))],
  'HS256 with the public key as its secret': [
    'proof_signature',
    (c) =>
      proven(forged(c, 'HS256', (input) => createHmac('sha256', publicPem(c.key)).update(input).digest())),
  ],
  'HS256 with the name of the connection as its secret': [
    'proof_signature',
    (c) =>
      proven(forged(c, 'HS256', (input) => createHmac('sha256', c.channel.binding).update(input).digest())),
  ],
  'ES256 by another key': [
    'proof_signature',
    (c) =>
      proven(
        forged(c, 'ES256', (input) =>
          sign('sha256', Buffer.from(input), { key: strange(), dsaEncoding: 'ieee-p1363' }),
        ),
      ),
  ],
  'ES256 in the form of DER': [
    'proof_signature',
    (c) => proven(forged(c, 'ES256', (input) => sign('sha256', Buffer.from(input), c.key))),
  ],
};

function forged(caller: ProvingCaller, alg: string, signed: (input: string) => Buffer | string): string {
  const [, claims] = caller.proof().split('.');
  const input = `${encode(JSON.stringify({ alg, typ: 'wpt+jwt' }))}.${claims}`;
  return `${input}.${encode(signed(input))}`;
}

function publicPem(key: KeyObject): string {
  return createPublicKey(key).export({ type: 'spki', format: 'pem' }) as string;
}

function strange(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

describe('a caller with an SVID whose request is not proven', () => {
  for (const [what, [code, attack]] of Object.entries(ATTACKS))
    it(`${what}: 401 ${code}, and it is in the audit`, async () => {
      await using w = await provenPair();
      using caller = await provingCaller(w.inbound.address, w.web);
      assert.equal(
        await caller.ask('GET /a', [proofLine(caller.proof()), channelLine(caller.assertion)]),
        '200',
      );
      const reached = w.app.received;
      const { line = 'GET /a', headers, body } = attack(caller);
      assert.equal(await caller.ask(line, headers, body), `401 ${code}`);
      const { type, code: recorded, caller: by } = w.audit.events.at(-1)!;
      assert.deepEqual({ type, code: recorded, by: String(by) }, { type: 'refused', code, by: WEB });
      assert.equal(w.app.received, reached, 'nothing of it reached the app');
      assert.equal(await caller.ask('GET /a', [proofLine(caller.proof())]), '200', 'the next is served');
    });

  for (const sends of ['channel', 'signed'] as const) {
    it(`sends a proof again on its connection: proof_replayed (${sends})`, async () => {
      await using w = await provenPair({ sends });
      using caller = await provingCaller(w.inbound.address, w.web, sends);
      const lines = [proofLine(caller.proof()), channelLine(caller.assertion)];
      assert.equal(await caller.ask('GET /a', lines), '200');
      assert.equal(await caller.ask('GET /a', lines), '401 proof_replayed');
      assert.equal(w.audit.events.at(-1)!['code'], 'proof_replayed');
    });

    it(`sends one on another connection of its own, with all that came with it: proof_channel (${sends})`, async () => {
      await using w = await provenPair({ sends });
      using first = await provingCaller(w.inbound.address, w.web, sends);
      using second = await provingCaller(w.inbound.address, w.web, sends);
      const lines = [proofLine(first.proof()), channelLine(first.assertion)];
      assert.equal(await second.ask('GET /a', lines), '401 proof_channel');
      assert.equal(await first.ask('GET /a', lines), '200');
      assert.equal(await second.ask('GET /a', lines), '401 proof_channel');
    });
  }

  it('proves by the connection where each request has to be signed: proof_weak', async () => {
    await using w = await provenPair({ sends: 'channel', requires: 'signed' });
    using caller = await provingCaller(w.inbound.address, w.web);
    const lines = [proofLine(caller.proof()), channelLine(caller.assertion)];
    assert.equal(await caller.ask('GET /a', lines), '401 proof_weak');
    assert.equal(await caller.ask('GET /a'), '401 proof_missing');
  });

  it('signs where the connection is enough', async () => {
    await using w = await provenPair({ sends: 'signed', requires: 'channel' });
    using caller = await provingCaller(w.inbound.address, w.web, 'signed');
    assert.equal(await caller.ask('GET /a', [proofLine(caller.proof())]), '200');
  });

  it('is asked for none where none is required, and what it sends has to hold', async () => {
    await using w = await provenPair({ sends: 'off' });
    using caller = await provingCaller(w.inbound.address, w.web);
    assert.equal(await caller.ask('GET /a'), '200');
    assert.equal(await caller.ask('POST /a', ['Content-Length: 5'], 'hello'), '200');
    assert.equal(await caller.ask('GET /a', [proofLine('x')]), '401 proof_malformed');
    assert.equal(await caller.ask('GET /b', [proofLine(caller.proof())]), '401 proof_channel');
    const lines = [proofLine(caller.proof()), channelLine(caller.assertion)];
    assert.equal(await caller.ask('GET /b', lines), '401 proof_path');
    assert.equal(await caller.ask('GET /a', [proofLine(caller.proof())]), '200');
    const body = digestOf('hello');
    const hallo = [proofLine(caller.proof({ method: 'POST', body })), 'Content-Length: 5'];
    assert.equal(await caller.ask('POST /a', hallo, 'hallo'), '401 proof_body');
  });

  const assertions: Readonly<Record<string, (caller: ProvingCaller, other: ProvingCaller) => string | null>> =
    {
      'nobody’s': () => null,
      'that of another connection': (_caller, other) => other.assertion,
      'a proof in its place': (caller) => caller.proof(),
      nonsense: () => 'x.y.z',
      'one that was changed': ({ assertion }) => `${assertion.slice(0, -4)}AAAA`,
    };
  for (const [what, assertion] of Object.entries(assertions))
    it(`says by ${what} that the connection is its own: proof_channel`, async () => {
      await using w = await provenPair();
      using caller = await provingCaller(w.inbound.address, w.web);
      using other = await provingCaller(w.inbound.address, w.web);
      const said = assertion(caller, other);
      const lines = [proofLine(caller.proof()), ...(said === null ? [] : [channelLine(said)])];
      assert.equal(await caller.ask('GET /a', lines), '401 proof_channel');
      const sound = [proofLine(caller.proof()), channelLine(caller.assertion)];
      assert.equal(await caller.ask('GET /a', sound), '200');
    });

  it('shows another SVID of its own than that of the connection: its key proves nothing here', async () => {
    await using w = await provenPair();
    const renewed = await credentialsFor(w.ca, WEB);
    using caller = await provingCaller(w.inbound.address, w.web);
    const { assertion } = withKeyOf(renewed.current!.key, caller);
    assert.equal(
      await caller.ask('GET /a', [proofLine(caller.proof()), channelLine(assertion)]),
      '401 proof_channel',
    );
  });
});

function withKeyOf(key: KeyObject, { channel }: ProvingCaller): { readonly assertion: string } {
  const maker = new ProofMaker(channel, { mode: 'channel', ttlSeconds: 10, key, subject: WEB });
  return { assertion: maker.assertion(new Date())! };
}
