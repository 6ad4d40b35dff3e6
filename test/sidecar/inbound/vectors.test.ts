import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { until } from '../sockets.ts';
import { WEB } from '../support.ts';
import { answering, OK, problemIn, type World, world } from './world.ts';

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../vectors/http1/${name}.json`, import.meta.url), 'utf8')).cases;
const CALLER = `x-signet-caller: ${WEB}\r\n`;

type RequestCase = {
  readonly name: string;
  readonly request: string;
  readonly refused?: string;
  readonly forwarded?: string;
};
type ResponseCase = {
  readonly name: string;
  readonly response: string;
  readonly refused?: string;
  readonly forwarded?: string;
  readonly close?: boolean;
  readonly method?: string;
};

describe('inbound: request vectors over mTLS', () => {
  let w: World;
  before(async () => {
    w = await world();
  });
  after(() => w[Symbol.asyncDispose]());

  for (const { name, request, refused, forwarded } of read('requests') as RequestCase[]) {
    it(`${name} → ${refused ?? 'exactly the bytes that were judged'}`, async () => {
      const before = w.app.received.length;
      using client = await w.dial();
      client.send(request);
      if (refused !== undefined) {
        const problem = problemIn(await client.ends());
        assert.equal(problem['code'], refused);
        // a body that turns out wrong comes after a head that passed: the app's connection is cut in the middle of it
        if (!/^(?:chunk|trailer)/.test(refused))
          assert.equal(w.app.received.length, before, 'the app saw a byte of it');
        return;
      }
      const end = forwarded!.indexOf('\r\n\r\n') + 2;
      const want = forwarded!.slice(0, end) + CALLER + forwarded!.slice(end);
      await until(
        () => w.app.received.length - before >= want.length,
        () => JSON.stringify(w.app.received.slice(before)),
      );
      assert.equal(w.app.received.slice(before), want);
      await client.hears(OK.slice(-2));
    });
  }
});

describe('inbound: response vectors', () => {
  let respond: () => string;
  let closes = false;
  let w: World;
  before(async () => {
    w = await world({
      answer: (seen) => {
        if (!seen.received.endsWith('\r\n\r\n')) return;
        answering(respond())(seen);
        if (closes) seen.socket.end();
      },
    });
  });
  after(() => w[Symbol.asyncDispose]());

  for (const { name, response, refused, forwarded, close = false, method = 'GET' } of read(
    'responses',
  ) as ResponseCase[]) {
    it(`${name} → ${refused === undefined ? 'passed on' : `502, ${refused}`}`, async () => {
      respond = () => response;
      closes = close;
      // an app's connection may be used again: each case gets one of its own
      for (const seen of w.app.connections.splice(0)) seen.socket.destroy();
      using client = await w.dial();
      client.send(`${method} /a HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n\r\n`);
      const heard = await client.ends();
      if (refused !== undefined) {
        const problem = problemIn(heard);
        assert.equal(problem.status, 502);
        assert.match(String(problem['detail']), new RegExp(`\\(${refused}\\)`));
        return;
      }
      const at =
        forwarded!.lastIndexOf(
          '\r\n\r\n',
          forwarded!.search(/HTTP\/1\.1 [2-5]/) === -1 ? undefined : headEnd(forwarded!),
        ) + 2;
      assert.equal(heard, `${forwarded!.slice(0, at)}connection: close\r\n${forwarded!.slice(at)}`);
    });
  }
});

/** Where the blank line of the final response begins. */
function headEnd(text: string): number {
  return text.indexOf('\r\n\r\n', text.search(/HTTP\/1\.1 [2-5]/));
}
