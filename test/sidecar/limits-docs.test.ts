import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { RELAY_LIMITS } from '../../sidecar/relay/index.ts';

const doc = await readFile(new URL('../../docs/sidecar.md', import.meta.url), 'utf8');
const section = doc.slice(doc.indexOf('\n## Limits\n'));
const { pingMs, ...limits } = RELAY_LIMITS;
const time = (ms: number) => (ms >= 3_600_000 ? `${ms / 3_600_000} h` : `${ms / 1_000} s`);

/** Of the table of HTTP/2, by the beginning of a row. */
const rows: Readonly<Record<string, string>> = {
  'a connection that says nothing at first': time(limits.headMs),
  'one without a stream': time(limits.idleMs),
  'one with streams': `a PING each ${time(pingMs)}`,
};

describe('docs/sidecar.md: limits of HTTP/2', () => {
  for (const [name, value] of Object.entries(rows))
    it(`${name}: ${value}`, () => {
      const row = section.split('\n').find((line) => line.startsWith(`| ${name}`));
      assert.equal(row?.split('|')[2]?.trim(), value);
    });
});
