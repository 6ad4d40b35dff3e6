import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { EVERYONE } from './callers.ts';
import { comingCaller, leavingCaller, refusedCaller } from './churning-callers.ts';
import { createHouse, type House, type Who } from './house.ts';
import { faults, OK, Traffic } from './traffic.ts';

const MINUTES = Number(process.env['SOAK'] ?? 2);
const ROTATE_EVERY_MS = 3_000;
const SAMPLES = 60;
/** Each caller rests so long between two exchanges: what is sought is a leak, not speed. */
const REST_MS = 20;
const MIB = 1_048_576;
/** What may be more than in the first third, in which everything has been done often. Garbage is not counted. */
const ROOM: Sample = { held: 4 * MIB, dirty: 12 * MIB, files: 24 };
const teller = fileURLToPath(new URL('../../support/memory-teller.mjs', import.meta.url));
const sides: readonly Who[] = ['web', 'orders'];

/** Heap and buffers in use, pages that are the process's own, and open files. */
type Sample = { readonly held: number; readonly dirty: number; readonly files: number };

async function sampleOf(house: House, who: Who): Promise<Sample> {
  const { pid, nextEvent, send } = house.of(who);
  const told = nextEvent('memory', 30_000);
  send('SIGUSR2');
  const { held } = await told;
  // of a process that is not dumpable only root may read this
  if (process.getuid?.() !== 0) return { held: Number(held), dirty: 0, files: 0 };
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  const dirty = Number(/^Private_Dirty:\s+(\d+) kB$/m.exec(rollup)?.[1]) * 1_024;
  return { held: Number(held), dirty, files: (await readdir(`/proc/${pid}/fd`)).length };
}

const most = (samples: readonly Sample[], what: keyof Sample) =>
  Math.max(...samples.map((each) => each[what]));
const told = (bytes: number) => `${(bytes / MIB).toFixed(1)} MiB`;

describe('soak', function () {
  this.timeout((MINUTES + 3) * 60_000);

  it(`${MINUTES} minutes of everything at once through two sidecars: no fault, flat memory, a whole audit`, async () => {
    await using house = await createHouse({ NODE_OPTIONS: `--import ${teller}`, SIGNET_LOG_LEVEL: 'info' });
    await house.allowFlip(false);
    const kinds = { ...EVERYONE, refused: refusedCaller, leaving: leavingCaller, coming: comingCaller };
    await using traffic = new Traffic(house.place, kinds, REST_MS);
    await traffic.moved(1);
    const end = performance.now() + MINUTES * 60_000;
    let rotating = true;
    const rotations = (async () => {
      for (let i = 0; rotating; i++) {
        await house.rotate(sides[i % 2]!);
        await wait(ROTATE_EVERY_MS / 2);
      }
    })();
    const samples = { web: [] as Sample[], orders: [] as Sample[] };
    while (performance.now() < end) {
      for (const who of sides) samples[who].push(await sampleOf(house, who));
      await wait((MINUTES * 60_000) / SAMPLES);
    }
    rotating = false;
    await rotations;
    const outcomes = await traffic.stop();

    const served = Object.values(outcomes).reduce((sum, { [OK]: well = 0 }) => sum + well, 0);
    console.log(`      ${served} exchanges`);
    assert.deepEqual(faults(outcomes), {});
    assert.deepEqual(house.shop.repeated, []);
    for (const who of sides) {
      const third = Math.ceil(samples[who].length / 3);
      const [early, late] = [samples[who].slice(0, third), samples[who].slice(third)];
      const [held, dirty] = (['held', 'dirty'] as const).map(
        (what) => `${told(most(early, what))}, then ${told(most(late, what))}`,
      );
      console.log(
        `      ${who}: in use ${held}; private dirty ${dirty}; files ${most(early, 'files')}, then ${most(late, 'files')}`,
      );
      for (const what of ['held', 'dirty', 'files'] as const)
        assert.ok(
          most(late, what) - most(early, what) < ROOM[what],
          `${who}: ${what} ${JSON.stringify(samples[who])}`,
        );
      const worse = house
        .of(who)
        .logs()
        .filter(({ level }) => level !== 'info' && level !== undefined);
      assert.deepEqual(worse, []);
    }
    for (const who of sides) {
      await house.of(who).stop(30_000);
      assert.equal(await house.audited(who), '');
    }
  });
});
