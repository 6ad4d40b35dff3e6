// Loaded by `--import` before a program: at SIGUSR2 it collects garbage and writes what is left of its memory as a line of JSON to
// standard error.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = /** @type {() => void} */ (runInNewContext('gc'));
process.on('SIGUSR2', () => {
  // the second takes what finalizers of the first let go of
  collect();
  setImmediate(() => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    process.stderr.write(`${JSON.stringify({ event: 'memory', held: heapUsed + arrayBuffers })}\n`);
  });
});
