import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { environment, flags } from '../../../bin/flags.mjs';

const leftovers = new URL('../../../sidecar/relay/leftovers.ts', import.meta.url);

/** Makes a gigabyte of pieces, each of no use as soon as it is made, and tells the most that was in use. */
const program = `
  import { readFileSync } from 'node:fs';
  import { Leftovers } from '${leftovers}';
  const left = new Leftovers();
  const dirty = () => Number(/^Private_Dirty:\\s+(\\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))[1]);
  let most = 0;
  for (let i = 0; i < 16_384; i++) {
    Buffer.allocUnsafeSlow(65_536).fill(1);
    if (process.argv[1] === 'told') left.add(65_536);
    if (i % 64 === 0) most = Math.max(most, dirty());
  }
  console.log(most / 1024);
`;

describe('leftovers', () => {
  it('of a gigabyte that went through take less than two thirds of what they take when nobody counts', () => {
    const env = { ...process.env, ...environment.sidecar };
    const args = [...flags.sidecar, '--input-type=module', '-e', program];
    const most = (how: string) =>
      Number(execFileSync(process.execPath, [...args, how], { encoding: 'utf8', env }));
    const [told, untold] = [most('told'), most('untold')];
    assert.ok(told < (untold * 2) / 3, `${told} MB, and ${untold} MB when nobody counts`);
  });
});
