import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import type { RawClient } from '../sidecar/sockets.ts';
import { arrivals, corpus, type Expected, type RequestCase } from './corpus.ts';
import { field, isFinal, readResponses } from './messages.ts';
import { soon } from './soon.ts';
import { type Stage, sides, stageOf } from './stage.ts';

/** What befell others, as far as one HTTP/1 message can hold it; each has its cases. */
const ATTACKS = [
  ...['CL.TE', 'TE.CL', 'TE.TE', '0.CL', 'CL.0', 'TE.0', 'CL tricks', 'Expect', 'pipelining', 'trailers'],
  ...[
    'chunk extension',
    'chunk size overflow',
    'chunk spill',
    'bare LF/CR',
    'obs-fold',
    'header name tricks',
  ],
  ...['/../', '%2F', '%5C', '//', '#', ';params', '*', 'mixed case', 'double escape', 'non-ASCII', 'CONNECT'],
  ...['header aliases', 'Connection: x-identity', 'X-Forwarded-Uri/Host', 'X-Forwarded-Client-Cert'],
  ...['Host tricks', 'Host case', 'absolute form', 'authority form', 'HTTP/1.0', 'HTTP/0.9', 'h2c smuggling'],
  ...['pipelining behind refused', 'request override', 'spoken in our name', 'hop-by-hop'],
];
const SENTINEL = 'GET /sentinel HTTP/1.1\r\nHost: orders\r\n\r\n';

describe('smuggling: requests', () => {
  const families = corpus('requests');

  it('every attack is in the corpus', () => {
    const there = new Set([...families.values()].flat().map(({ attack }) => attack));
    assert.deepEqual(
      ATTACKS.filter((attack) => !there.has(attack)),
      [],
    );
  });

  for (const side of sides) {
    describe(side, () => {
      let stage: Stage;
      before(async () => {
        stage = await stageOf(side);
      });
      after(() => stage[Symbol.asyncDispose]());

      for (const [family, cases] of families)
        for (const each of cases.filter((c) => (c.side ?? side) === side))
          it(`${family}: ${each.name} → ${summary(outcomes(each, side))}`, async () => {
            for (const pieces of arrivals(each.request)) await play(stage, each, pieces);
          });
    });
  }
});

function outcomes(each: RequestCase, side: string): readonly Expected[] {
  return side === 'outbound' ? (each.outbound ?? each.expect) : each.expect;
}

function summary(expected: readonly Expected[]): string {
  return expected.map((e) => ('refused' in e ? e.refused.code : Object.keys(e)[0])).join(', ');
}

/** Plays one case on a connection of its own, and looks at what the client heard and what the backend saw. */
async function play(stage: Stage, each: RequestCase, pieces: readonly Buffer[]): Promise<void> {
  const { backend } = stage;
  const past = backend.requests.length;
  const expected = outcomes(each, stage.side);
  const answered = expected.filter((e) => !('incomplete' in e));
  const partly = expected.some((e) => 'incomplete' in e || ('refused' in e && e.refused.inBody));
  const heads = expected.map((e) => 'seen' in e && e.seen.startsWith('HEAD '));
  using client = await stage.dial();
  const finals = () => readResponses(client.received, heads).messages.filter(isFinal);

  await send(client, pieces);
  if (answered.length < expected.length) client.socket.end();
  await soon(
    () => finals().length >= answered.length || client.closed,
    () => `heard ${JSON.stringify(client.received)}`,
  );
  const last = finals().at(-1);
  const closing = answered.length < expected.length || (last && field(last, 'connection') === 'close');
  const want = answered.map(wordOf);
  const seen = expected.flatMap((e) => ('seen' in e ? [stage.added(e.seen)] : []));
  if (closing) await soon(() => client.closed);
  else {
    // whoever does not agree with us on where the last request ended reads this one wrong
    client.send(SENTINEL);
    await soon(() => finals().length > answered.length || client.closed);
    want.push('GET /sentinel');
    seen.push(stage.added(SENTINEL));
  }

  assert.deepEqual(finals().map(heardWord), want);
  assert.equal(readResponses(client.received, heads).rest, '', 'bytes that are no whole answer');
  if (partly) await soon(() => backend.unfinished.every(({ closed }) => closed));
  else assert.deepEqual(backend.unfinished, [], 'the backend saw part of a request');
  for (const line of backend.unfinished) line.rest = '';
  const raw = backend.requests.slice(past).map((request) => request.raw);
  assert.deepEqual(raw, seen);
}

function wordOf(expected: Expected): string {
  if ('refused' in expected) return `${expected.refused.status} ${expected.refused.code}`;
  return 'seen' in expected ? expected.seen.split(' ', 2).join(' ') : '';
}

function heardWord(response: ReturnType<typeof readResponses>['messages'][number]): string {
  const served = field(response, 'x-served');
  if (served !== undefined) return served;
  const { status, code } = JSON.parse(response.body) as { status: number; code: string };
  assert.equal(field(response, 'content-type'), 'application/problem+json');
  assert.equal(response.start.split(' ')[1], String(status));
  return `${status} ${code}`;
}

async function send(client: RawClient, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    if (!client.socket.writable) return;
    client.socket.write(piece);
    if (pieces.length === 1) return;
    // twice round the loop: the proxy, in this process too, reads this piece before the next is sent
    await setImmediate();
    await setImmediate();
  }
}
