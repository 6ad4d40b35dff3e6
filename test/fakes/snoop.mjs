// A curious process of the same user: tries to read another's memory and environment, and says as one JSON object what it saw.
// Its argument is the other's pid. For each: the error's code, or what was found.
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';

const pid = process.argv[2];

/** @param {() => unknown} look */
function attempt(look) {
  try {
    return look();
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code;
  }
}

function searchMemory() {
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    let keys = 0;
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const [, from = '0', to = '0'] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
      const length = Number(BigInt(`0x${to}`) - BigInt(`0x${from}`));
      if (length === 0 || length > 256 * 1024 * 1024) continue;
      const bytes = Buffer.alloc(length);
      const read = attempt(() => readSync(memory, bytes, 0, length, BigInt(`0x${from}`)));
      if (typeof read === 'number' && bytes.includes('-----BEGIN PRIVATE KEY-----')) keys++;
    }
    return { regionsWithKeys: keys };
  } finally {
    closeSync(memory);
  }
}

console.log(
  JSON.stringify({
    memory: attempt(searchMemory),
    environment: attempt(() => readFileSync(`/proc/${pid}/environ`, 'latin1').length),
    files: attempt(() => readdirSync(`/proc/${pid}/fd`).length),
  }),
);
