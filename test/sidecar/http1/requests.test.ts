import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { cut, relayed } from './relayed.ts';

type Case = {
  readonly name: string;
  readonly request: string;
  readonly refused?: string;
  readonly forwarded?: string;
};
const vectors = new URL('../../vectors/http1/requests.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(vectors, 'utf8')) as { cases: Case[] };

/** A head this long is cut at a sample of its positions only. */
const LONG = 1_500;

describe('http1 request vectors', () => {
  for (const { name, request, refused, forwarded } of cases) {
    const bytes = Buffer.from(request, 'latin1');
    const want = refused === undefined ? { forwarded, used: bytes.length } : { refused };
    it(`${name} → ${refused ?? 'forwarded'}`, () => {
      assert.deepEqual(relayed([bytes]), want);
    });
    it(`${name}: the same wherever it is cut`, () => {
      const step = bytes.length > LONG ? Math.ceil(bytes.length / 40) : 1;
      for (let at = 1; at < bytes.length; at += step)
        assert.deepEqual(relayed(cut(bytes, at)), want, `cut at ${at}`);
      if (step === 1) {
        const all = Array.from({ length: bytes.length - 1 }, (_, i) => i + 1);
        assert.deepEqual(relayed(cut(bytes, ...all)), want, 'byte by byte');
      }
    });
  }

  it('what follows a request is not part of it', () => {
    for (const { request, forwarded } of cases.filter((c) => c.forwarded !== undefined)) {
      const next = 'GET /next HTTP/1.1\r\nHost: orders\r\n\r\n';
      const outcome = relayed([Buffer.from(request + next, 'latin1')]);
      assert.deepEqual(outcome, { forwarded, used: request.length });
    }
  });

  it('what goes on is read again as it is: canonical form is stable', () => {
    for (const { name, forwarded } of cases.filter((c) => c.forwarded !== undefined)) {
      const bytes = Buffer.from(forwarded!, 'latin1');
      assert.deepEqual(relayed([bytes]), { forwarded, used: bytes.length }, name);
    }
  });
});
