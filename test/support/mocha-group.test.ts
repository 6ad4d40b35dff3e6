import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runMocha } from './mocha-group.mjs';

describe('a test group', () => {
  const cases: [name: string, source: string, counts: [number, number, number], output: RegExp][] = [
    ['counts what passed', `it('a', () => {}); it('b', () => {});`, [2, 0, 0], /^$/],
    [
      'counts and shows what failed',
      `it('a', () => { throw new Error('why'); });`,
      [0, 1, 0],
      /a:\s+Error: why/,
    ],
    ['counts what was skipped', `it('a'); it('b', () => {});`, [1, 0, 1], /^$/],
    ['fails without a test', '', [0, 1, 0], /ended with 0 after 0 tests/],
    [
      'fails when a hook does',
      `before(() => { throw new Error('why'); }); it('a', () => {});`,
      [0, 1, 0],
      /why/,
    ],
    ['fails when a file cannot be loaded', `import './nowhere.ts';`, [0, 1, 0], /ended with 1 after 0 tests/],
    [
      'fails when a test ends the process as if all was well',
      `it('a', () => process.exit(0));`,
      [0, 1, 0],
      /ended with 0/,
    ],
    [
      'fails when it is killed',
      `it('a', () => process.kill(process.pid, 'SIGKILL'));`,
      [0, 1, 0],
      /ended with SIGKILL/,
    ],
    [
      'fails when something was left open',
      `it('a', () => { setInterval(() => {}, 1000); });`,
      [1, 1, 0],
      /ended with something left open by a test after 1 tests/,
    ],
    [
      'fails when an error comes after the last test',
      `after(() => setTimeout(() => { throw new Error('late'); }, 50)); it('a', () => {});`,
      [1, 1, 0],
      /late/,
    ],
  ];
  for (const [name, source, [passed, failed, skipped], output] of cases) {
    it(name, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'signet-group-'));
      try {
        const file = join(folder, 'case.test.ts');
        await writeFile(file, source);
        const outcome = await runMocha([file], {
          live: false,
          tallyFile: join(folder, 'tally'),
          patience: 500,
        });
        assert.deepEqual([outcome.passed, outcome.failed, outcome.skipped.length], [passed, failed, skipped]);
        assert.match(outcome.output, output);
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  }
});
