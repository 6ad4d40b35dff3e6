import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { freePort } from '../../../harness/port.ts';
import { LIMITS, parseLimits, rangeOf } from '../../../sidecar/config/limits.ts';
import { SETTINGS } from '../../../sidecar/config/settings.ts';
import { HEAD_LIMITS } from '../../../sidecar/http1/index.ts';
import { ACQUIRE_ERROR_CODES } from '../../../sidecar/identity/acquire-error.ts';
import { POOL_LIMITS } from '../../../sidecar/outbound/index.ts';
import { RELAY_LIMITS } from '../../../sidecar/relay/index.ts';
import { createStage } from './stage.ts';

const doc = await readFile(new URL('../../../docs/sidecar.md', import.meta.url), 'utf8');
/** The cells of every row of every table, however wide they are drawn. */
const rows = doc
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

/** Of the defaults, those that a setting gave. */
function pick(defaults: object, given: object): object {
  return Object.fromEntries(Object.entries(defaults).filter(([name]) => name in given));
}

describe('docs/sidecar.md', () => {
  it('has the table of variables as it is', () => {
    const wanted = Object.entries(SETTINGS).map(([name, { fallback, required, doc }]) => [
      `\`${name}\``,
      fallback === '' ? '' : `\`${fallback}\``,
      required,
      doc.replaceAll('|', '\\|'),
    ]);
    assert.deepEqual(
      rows.filter(([first = '']) => first.slice(1, -1) in SETTINGS && first.startsWith('`')),
      wanted,
    );
  });

  it('says what to do about every failure, and about no other', () => {
    const told = rows
      .filter((cells) => cells.length === 3)
      .flatMap(([first = '']) => first.match(/(?<=`)[A-Z]+_[A-Z_]+(?=`)/g) ?? [])
      .filter((name) => !(name in SETTINGS));
    assert.deepEqual(told.sort(), [...ACQUIRE_ERROR_CODES].sort());
  });

  it('has the table of limits as they are', () => {
    const limits = rows.filter((cells) => cells.length === 6 && cells[0]!.startsWith('`'));
    const word = (cell: string) => cell.replaceAll('`', '');
    assert.deepEqual(
      limits.map(([name = '', , range, side]) => [word(name), range, side]),
      [...LIMITS].map(([name, limit]) => [
        name,
        rangeOf(limit),
        limit.sides.map((side) => (side === 'inbound' ? 'in' : 'out')).join(', '),
      ]),
    );
    const { inbound, outbound } = parseLimits(
      limits.map(([name = '', value = '']) => `${word(name)}=${word(value)}`).join(' '),
    );
    assert.deepEqual(inbound, { ...pick(RELAY_LIMITS, inbound), head: HEAD_LIMITS });
    assert.deepEqual(outbound, { ...pick({ ...RELAY_LIMITS, ...POOL_LIMITS }, outbound), head: HEAD_LIMITS });
  });

  it('names metrics that there are', async () => {
    await using stage = await createStage();
    const policy = join(stage.dir, 'policy.json');
    await writeFile(policy, '[]');
    // of several workers: it has all that one process has, and some of its own
    const sidecar = await stage.sidecar({
      SIGNET_MODE: 'service',
      SIGNET_WORKERS: '2',
      SIGNET_INBOUND: `127.0.0.1:${await freePort()}->127.0.0.1:9`,
      SIGNET_POLICY_FILE: policy,
    });
    await sidecar.waitForEvent('ready', ({ worker }) => worker === undefined);
    const metrics = await (await fetch(`http://${await sidecar.addressOf('admin')}/metrics`)).text();
    const named = new Set(doc.match(/\bsignet_[a-z_]+/g));
    assert.ok(named.size >= 7);
    for (const name of named) assert.match(metrics, new RegExp(`^# TYPE ${name} `, 'm'));
  });
});
