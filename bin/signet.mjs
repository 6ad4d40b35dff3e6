#!/usr/bin/env node
// Replaces itself with the right program on the right Node: `signet sidecar` and `signet broker` are services,
// everything else is the command line. Plain JavaScript, since whatever Node the machine has reads it first.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { environment, flags } from './flags.mjs';

const neededNode = 26;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [first, ...rest] = process.argv.slice(2);
if (first === 'sidecar' || first === 'broker') become(first, rest);
else become('cli', process.argv.slice(2));

/** @param {keyof typeof flags} program @param {string[]} args */
function become(program, args) {
  const node = nodeToRunOn();
  if (!node) {
    console.error(
      `signet needs Node ${neededNode} or newer and this is ${process.versions.node}; in a clone, \`npm run setup\` installs it`,
    );
    process.exitCode = 1;
    return;
  }
  const { main, env } = startOf(program);
  const words = [...flags[program], main, ...args];
  // One process, so that its pid and the signals sent to it are the program's own.
  if (process.execve) process.execve(node, [node, ...words], env);
  else standInFor(spawn(node, words, { stdio: 'inherit', env }));
}

/**
 * A clone runs its sources; what is shipped has only what was compiled from them. Sources start in half the time, and with
 * 30 MB less, when Node keeps what it made of them: in the clone's cache. What is shipped writes nothing.
 * @param {keyof typeof flags} program
 */
function startOf(program) {
  const main = join(root, program, 'main.ts');
  const env = { ...environment[program], ...process.env };
  if (!existsSync(main)) return { main: join(root, 'dist', program, 'main.js'), env };
  return { main, env: { NODE_COMPILE_CACHE: join(root, '.cache/node'), ...env } };
}

/** This Node when it is new enough, else the one that a clone pins. */
function nodeToRunOn() {
  if (Number(process.versions.node.split('.')[0]) >= neededNode) return process.execPath;
  const pinned = join(root, 'node_modules/.bin/node');
  return existsSync(pinned) ? pinned : undefined;
}

/** An older Node cannot replace itself: it passes signals on, and ends as its child ends. @param {import('node:child_process').ChildProcess} child */
function standInFor(child) {
  const passed = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']);
  for (const signal of passed) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`signet could not start ${child.spawnfile}: ${error.message}`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[/** @type {NodeJS.Signals} */ (signal)];
  });
}
