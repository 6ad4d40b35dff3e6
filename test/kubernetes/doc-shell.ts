import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startChild } from '../../harness/child.ts';
import { kubeBinary } from '../../setup/kubernetes.mjs';
import { root } from '../../setup/paths.mjs';

/** One shell for the blocks of a document, in which they find what those before them have left. */
export interface DocShell extends AsyncDisposable {
  /** What the block printed. @throws with all of it when a command of it fails */
  run(block: string): Promise<string>;
}

const PATIENCE_MS = 60_000;
const COMMANDS = {
  npx: 'exec "$@"',
  signet: `exec "${process.execPath}" "${join(root, 'bin/signet.mjs')}" "$@"`,
  kubectl: `exec "${kubeBinary()}" kubectl "$@"`,
};

/** In `dir`, with `npx signet` and `kubectl`. What a block leaves in the background ends with the shell. */
export async function openDocShell(dir: string, env: Readonly<Record<string, string>>): Promise<DocShell> {
  const bin = join(dir, 'bin');
  await mkdir(bin);
  for (const [name, line] of Object.entries(COMMANDS)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${line}\n`);
    await chmod(join(bin, name), 0o755);
  }
  const shell = await startChild('bash', ['-euo', 'pipefail'], {
    cwd: dir,
    env: { PATH: `${bin}:${process.env['PATH']}`, HOME: dir, ...env },
  });
  shell.stdin.write(`trap 'kill $(jobs -p)' EXIT\n`);
  let ended = false;
  void shell.ended.then(() => {
    ended = true;
  });
  let count = 0;
  return {
    async run(block) {
      count += 1;
      const [file, mark] = [`block-${count}.sh`, `--- block ${count} has ended`];
      await writeFile(join(dir, file), block);
      const before = shell.stdout();
      shell.stdin.write(`. ./${file} </dev/null\necho '${mark}'\n`);
      for (const end = Date.now() + PATIENCE_MS; ; await sleep(20)) {
        const printed = shell.stdout().slice(before.length);
        if (printed.includes(mark)) return printed.slice(0, printed.indexOf(mark));
        if (ended || Date.now() > end) throw new Error(`${block}\n${printed}\n${shell.stderr()}`);
      }
    },
    async [Symbol.asyncDispose]() {
      shell.stdin.end();
      await shell.stop();
    },
  };
}
