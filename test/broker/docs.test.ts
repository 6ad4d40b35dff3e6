import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'mocha';
import { PROBLEM_CODES, Problem } from '../../broker/problem.ts';
import { SETTINGS } from '../../broker/settings.ts';
import { openSite } from './site.ts';

const doc = await readFile(new URL('../../docs/broker.md', import.meta.url), 'utf8');
/** The cells of every row of every table, however wide they are drawn. */
const rows = doc
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

describe('docs/broker.md', () => {
  it('has the table of variables as it is', () => {
    const wanted = Object.entries(SETTINGS).map(([name, { fallback, required, doc: meaning }]) => [
      `\`${name}\``,
      fallback === '' ? '' : `\`${fallback}\``,
      required ? 'yes' : '',
      meaning,
    ]);
    assert.deepEqual(
      rows.filter(([first = '']) => first.startsWith('`') && first.slice(1, -1) in SETTINGS),
      wanted,
    );
  });
  it('says what to do about every problem, and about no other', () => {
    const told = rows
      .filter(([first = '']) => /^[45]\d\d$/.test(first))
      .map(([status, code]) => `${status} ${code}`);
    assert.deepEqual(
      told,
      PROBLEM_CODES.map((code) => `${new Problem(code).status} \`${code}\``),
    );
  });
  it('names metrics that there are, and all of them', async () => {
    await using site = await openSite();
    const broker = await site.startBroker();
    const metrics = await (await fetch(`http://${broker.admin}/metrics`)).text();
    const there = Array.from(metrics.matchAll(/^# TYPE (\w+)/gm), ([, name]) => name ?? '');
    assert.deepEqual([...new Set(doc.match(/\bsignet_broker_[a-z_]+/g))].sort(), there.sort());
  });
});
