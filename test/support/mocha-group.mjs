import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { modules, root } from '../../setup/paths.mjs';

/** @typedef {import('./tally.mjs').Tally} Tally */

const mocha = join(modules, 'mocha/bin/mocha.js');
const reporter = join(root, 'test/support/tally.mjs');
const deadline = 20 * 60_000;

/** Process groups of the Mochas under way. @type {Set<number>} */
const running = new Set();
process.on('exit', () => running.forEach(kill));

/**
 * Runs test files in one Mocha process. One that dies, hangs or says nothing of its tests counts as a failure.
 * @param {string[]} files
 * @param {{ live: boolean, tallyFile: string, coverage?: string | undefined, patience?: number }} options
 *   `live` shows each test as it ends; else what failed comes back as `output`. `patience` is how many ms Mocha may take to
 *   end after its last test: what still runs then was left open by a test
 * @returns {Promise<Tally & { output: string, seconds: number }>}
 */
export async function runMocha(files, { live, tallyFile, coverage, patience = 15_000 }) {
  const begun = performance.now();
  const options = [
    '--reporter',
    reporter,
    '--reporter-option',
    `tally=${tallyFile}${live ? '' : ',quiet=1'}`,
  ];
  const child = spawn(process.execPath, [mocha, ...options, ...files], {
    cwd: root,
    stdio: ['ignore', live ? 'inherit' : 'pipe', live ? 'inherit' : 'pipe'],
    env: coverage ? { ...process.env, NODE_V8_COVERAGE: coverage } : process.env,
    detached: true,
  });
  const group = Number(child.pid);
  running.add(group);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      output += chunk;
    });
  }
  /** @type {Promise<string | number>} */
  const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal ?? code ?? '')));
  const ending = await Promise.race([ended, tooLong(tallyFile, ended, patience)]);
  kill(group);
  running.delete(group);

  const { passed, failed, skipped, suites } = readTally(tallyFile);
  const clean = ending === 0 || (typeof ending === 'number' && ending === Math.min(failed, 255));
  const died = clean && passed + failed + skipped.length > 0 ? 0 : 1;
  if (died) output += `the Mocha process ended with ${ending} after ${passed + failed} tests\n`;
  const seconds = (performance.now() - begun) / 1000;
  return { passed, failed: failed + died, skipped, suites, output, seconds };
}

/**
 * Settles when the group has outlived its time.
 * @param {string} tallyFile @param {Promise<unknown>} ended @param {number} patience
 */
async function tooLong(tallyFile, ended, patience) {
  let over = false;
  void ended.then(() => {
    over = true;
  });
  const lastMoment = Date.now() + deadline;
  while (!over && Date.now() < lastMoment && !existsSync(tallyFile))
    await sleep(200, undefined, { ref: false });
  await sleep(Math.max(0, Math.min(patience, lastMoment - Date.now())), undefined, { ref: false });
  return existsSync(tallyFile) ? 'something left open by a test' : 'its time-out';
}

/** @param {string} file @returns {Tally} */
function readTally(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passed: 0, failed: 0, skipped: [], suites: {} };
  }
}

/** Whatever the group left behind. @param {number} group */
function kill(group) {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // Nothing was left.
  }
}
