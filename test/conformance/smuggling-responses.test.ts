import assert from 'node:assert/strict';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { arrivals, corpus, type ResponseCase } from './corpus.ts';
import { isFinal, readResponses } from './messages.ts';
import { servedResponse } from './recorder.ts';
import { soon } from './soon.ts';
import { type Stage, sides, stageOf } from './stage.ts';

const FIRST = ' /first HTTP/1.1\r\nHost: orders\r\n';
const SECOND = 'GET /second HTTP/1.1';
/** For bytes behind a response to reach the proxy before the connection is used again. */
const SETTLE_MS = 3;

describe('smuggling: responses', () => {
  for (const side of sides) {
    describe(side, () => {
      let stage: Stage;
      before(async () => {
        stage = await stageOf(side);
      });
      after(() => stage[Symbol.asyncDispose]());

      for (const [family, cases] of corpus('responses'))
        for (const each of cases)
          it(`${family}: ${each.name} → ${summary(each)}, and the next request gets its own answer`, async () => {
            for (const pieces of arrivals(each.response)) await play(stage, each, pieces);
          });
    });
  }
});

function summary({ refused, cut, failed }: ResponseCase): string {
  return refused ?? (cut ? 'cut' : failed) ?? 'seen';
}

async function play(stage: Stage, each: ResponseCase, pieces: readonly Buffer[]): Promise<void> {
  const { backend } = stage;
  const isHead = each.method === 'HEAD';
  const sent = script(stage, each, pieces);
  const client = await stage.dial();
  const past = backend.requests.length;
  client.send(
    each.early
      ? `POST${FIRST}Content-Length: 50\r\n\r\nthe beginning`
      : `${each.method ?? 'GET'}${FIRST}\r\n`,
  );
  const reading = () => readResponses(client.received, [isHead]);
  await soon(
    () => (reading().messages.some(isFinal) && sent()) || client.closed,
    () => `heard ${JSON.stringify(client.received)}`,
  );
  if (each.early) {
    client.socket.end();
    await soon(() => client.closed);
  }
  await sleep(SETTLE_MS);
  judge(each, client.received, reading(), client.closed);

  const again = client.closed || !client.socket.writable ? await stage.dial() : client;
  const before = again.received.length;
  again.send(`${SECOND}\r\nHost: orders\r\n\r\n`);
  const wanted = servedResponse(SECOND);
  await soon(() => again.received.length - before >= wanted.length || again.closed);
  assert.equal(again.received.slice(before), wanted, 'the next request');
  assert.equal(backend.requests.slice(past).at(-1)?.start, SECOND);
  for (const each of [client, again]) each[Symbol.dispose]();
  for (const line of backend.unfinished) line.rest = '';
}

/** Has the backend answer the first request with these pieces. @returns whether all were sent */
function script({ backend }: Stage, each: ResponseCase, pieces: readonly Buffer[]): () => boolean {
  let sent = false;
  backend.early = each.early === true;
  backend.answer = (start, socket) => {
    if (!start.includes(' /first ')) {
      socket.write(servedResponse(start));
      return;
    }
    void (async () => {
      for (const piece of pieces) {
        if (!socket.writable) break;
        if (piece.length > 0) socket.write(piece);
        await setImmediate();
        await setImmediate();
      }
      if (each.close) socket.end();
      sent = true;
    })();
  };
  return () => sent;
}

/** Whether what was heard is what the case says. */
function judge(
  each: ResponseCase,
  heard: string,
  { messages, rest }: ReturnType<typeof readResponses>,
  closed: boolean,
): void {
  const final = messages.find(isFinal);
  if (each.seen !== undefined && each.rechunked) {
    const [want] = readResponses(each.seen).messages;
    assert.equal(headOf(heard), headOf(each.seen));
    assert.deepEqual([final?.body, rest], [want!.body, '']);
  } else if (each.seen !== undefined) assert.equal(heard, each.seen);
  else if (each.cut || (each.inBody && final === undefined)) {
    assert.equal(final, undefined, 'a whole response');
    assert.ok(closed, 'the connection stays open');
  } else {
    const problem = JSON.parse(final!.body) as Record<string, unknown>;
    assert.equal(problem['status'], 502);
    assert.match(String(problem['code']), each.failed ? /_closed$/ : /_response_refused$/);
    if (each.refused !== undefined)
      assert.match(`${problem['detail']} (${problem['cause']})`, new RegExp(`\\(${each.refused}\\)`));
    assert.equal(rest, '');
  }
}

function headOf(text: string): string {
  return text.slice(0, text.indexOf('\r\n\r\n'));
}
