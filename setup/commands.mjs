import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What a person has to mend; its message is the one line they see. */
export class SetupError extends Error {
  /** @param {string} message @param {ErrorOptions} [options] */
  constructor(message, options) {
    super(message, options);
    this.name = 'SetupError';
  }
}

/** @param {string} line */
export function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}

/** @param {string} file */
export function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/**
 * The first executable of that name on PATH.
 * @param {string} name
 * @param {string[]} [more] folders to look in after PATH
 */
export function which(name, more = []) {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), ...more];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/**
 * Standard output of a short command, or undefined when it fails or takes over ten seconds.
 * @param {string} file @param {string[]} args
 */
export function outputOf(file, args) {
  const { status, stdout } = spawnSync(file, args, {
    encoding: 'utf8',
    timeout: 10_000,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 ? stdout : undefined;
}

/**
 * Runs a long command to its end. Its output is shown only when it fails, and then the last lines of it.
 * An abort interrupts it and all that it started, and waits for their end, so that nothing half-stopped writes on.
 * @param {string} what the name of the work in an error
 * @param {string} file @param {string[]} args
 * @param {{ signal: AbortSignal, cwd?: string, env?: NodeJS.ProcessEnv }} options
 * @returns {Promise<void>}
 */
export function run(what, file, args, { signal, cwd, env = process.env }) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const interrupt = () => {
      try {
        process.kill(-Number(child.pid), 'SIGINT');
      } catch {
        // It has ended, or never began.
      }
    };
    // Again and again: a shell that is just beginning a command loses an interrupt (dash, between vfork and exec).
    /** @type {NodeJS.Timeout | undefined} */
    let again;
    const onAbort = () => {
      interrupt();
      again = setInterval(interrupt, 500);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output = (output + chunk).slice(-8192);
      });
    }
    child.on('error', (error) => {
      clearInterval(again);
      reject(new SetupError(`${what} did not start: ${error.message}`));
    });
    child.on('close', (code, killed) => {
      signal.removeEventListener('abort', onAbort);
      clearInterval(again);
      if (signal.aborted) return reject(signal.reason);
      if (code === 0) return resolve();
      const tail = output.trimEnd().split('\n').slice(-15).join('\n');
      reject(new SetupError(`${what} failed (${killed ?? `exit ${code}`})\n${tail}`));
    });
  });
}

/**
 * Says at once what has begun and how long it should take, then every 15 s that it goes on.
 * @template T
 * @param {string} what @param {string} expected
 * @param {() => Promise<T>} work
 */
export async function withProgress(what, expected, work) {
  const begun = performance.now();
  say(`${what} (${expected})`);
  const beat = setInterval(
    () => say(`${what}: ${duration(performance.now() - begun)} so far (${expected})`),
    15_000,
  );
  try {
    const result = await work();
    say(`${what}: done after ${duration(performance.now() - begun)}`);
    return result;
  } finally {
    clearInterval(beat);
  }
}

/** @param {number} ms */
function duration(ms) {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
