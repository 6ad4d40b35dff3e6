import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { RELAY_LIMITS } from '../../sidecar/relay/index.ts';

const doc = await readFile(new URL('../../docs/sidecar.md', import.meta.url), 'utf8');
const section = doc.slice(doc.indexOf('\n## Limits\n'));
const { head, connections, pingMs, ...limits } = RELAY_LIMITS;
const count = (n: number) => n.toLocaleString('en');
const time = (ms: number) => (ms >= 3_600_000 ? `${ms / 3_600_000} h` : `${ms / 1_000} s`);

/** By the beginning of a row. */
const rows: Readonly<Record<string, string>> = {
  'connections of a listener': count(connections),
  'TLS handshake': time(limits.handshakeMs),
  "a request's head": `${count(head.headBytes)} bytes`,
  'header lines': count(head.fields),
  target: `${count(head.targetBytes)} bytes`,
  "a request's body": limits.bodyBytes === 0 ? 'none' : `${count(limits.bodyBytes)} bytes`,
  'a body that does not move': time(limits.stallMs),
  'from the request sent': time(limits.responseMs),
  'the whole exchange': time(limits.wholeMs),
  'a WebSocket or raw connection': time(limits.spliceIdleMs),
  'a head, from its first byte': time(limits.headMs),
  'a new connection that says nothing': time(limits.headMs),
  'a connection between two requests': time(limits.idleMs),
  'a connection that says nothing at first': time(limits.headMs),
  'one without a stream': time(limits.idleMs),
  'one with streams': `a PING each ${time(pingMs)}`,
};

describe('docs/sidecar.md: limits', () => {
  for (const [name, value] of Object.entries(rows))
    it(`${name}: ${value}`, () => {
      const row = section.split('\n').find((line) => line.startsWith(`| ${name}`));
      assert.equal(row?.split('|')[2]?.trim(), value);
    });
});
