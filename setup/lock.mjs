import {
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimes,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { say } from './commands.mjs';

const beatEvery = 5_000;
const deadAfter = 30_000;

/**
 * Runs `work` while this process alone holds the lock file; waits for another holder.
 * A lock whose process is gone is broken. So is one that was not touched for 30 s: its pid may belong to a stranger by now.
 * @template T
 * @param {string} file @param {AbortSignal} signal
 * @param {() => Promise<T>} work
 */
export async function withLock(file, signal, work) {
  mkdirSync(dirname(file), { recursive: true });
  for (let told = false; !take(file); await sleep(500)) {
    signal.throwIfAborted();
    const holder = holderOf(file);
    if (!told && holder) {
      say(`waiting for another set-up of this clone (process ${holder})`);
      told = true;
    }
  }
  const beat = setInterval(() => utimes(file, new Date(), new Date(), () => {}), beatEvery);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    rmSync(file, { force: true });
  }
}

/** A link appears whole or not at all, so nobody ever reads a lock without its pid. @param {string} file */
function take(file) {
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, String(process.pid));
  try {
    linkSync(mine, file);
    return true;
  } catch {
    breakDead(file);
    return false;
  } finally {
    rmSync(mine, { force: true });
  }
}

/**
 * Moves a dead lock aside under a name of our own. If a quicker process had broken it and taken the lock
 * in between, what we moved is alive, and is put back.
 * @param {string} file
 */
function breakDead(file) {
  if (holderOf(file) !== undefined) return;
  const aside = `${file}.${process.pid}.dead`;
  try {
    renameSync(file, aside);
    if (holderOf(aside) !== undefined) linkSync(aside, file);
  } catch {
    // Gone already: the next try takes it.
  }
  rmSync(aside, { force: true });
}

/** The live process that holds the lock, if any. @param {string} file */
function holderOf(file) {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    if (Date.now() - statSync(file).mtimeMs > deadAfter) return undefined;
    return isAlive(pid) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}
