import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Context } from 'mocha';
import { type Ending, startChild } from '../../../harness/child.ts';
import { hasImageParts } from '../../../setup/image-parts.mjs';
import { nfpmBinary } from '../../../setup/nfpm.mjs';
import { root } from '../../../setup/paths.mjs';

/** Packages that were built into a folder of their own. */
export interface Built extends Disposable {
  readonly out: string;
  readonly printed: string;
  /** The path of the only file whose name ends so. */
  file(end: string): string;
}

/** Builds by the program that `npm run package` runs; of another clone if one is named. */
export async function buildPackages(options: readonly string[] = [], clone = root): Promise<Built> {
  const folder = mkdtempSync(join(tmpdir(), 'signet-packages-'));
  const out = join(folder, 'packages');
  const { code, printed, complaint } = await runBuild(['--out', out, ...options], clone);
  assert.equal(code, 0, complaint);
  return {
    ...{ out, printed },
    file(end) {
      const found = readdirSync(out).filter((name) => name.endsWith(end));
      assert.equal(found.length, 1, `${end}: ${found}`);
      return join(out, String(found[0]));
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export async function runBuild(
  options: readonly string[],
  clone = root,
  env: Readonly<Record<string, string>> = {},
): Promise<Ending & { printed: string; complaint: string }> {
  const child = await startChild(process.execPath, [join(clone, 'packaging/linux/main.ts'), ...options], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
  });
  return { ...(await child.ended), printed: child.stdout(), complaint: child.stderr() };
}

/** Where they cannot be built they are not; with CI=true that is a failure. */
export function needPackageParts(context: Context): void {
  if ((!hasImageParts() || !nfpmBinary()) && process.env['CI'] !== 'true') context.skip();
}

/** What a command prints. */
export function outputOf(file: string, ...args: string[]): string {
  return execFileSync(file, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
}
