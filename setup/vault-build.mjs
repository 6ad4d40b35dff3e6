import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { outputOf, run, SetupError, which, withProgress } from './commands.mjs';
import { root } from './paths.mjs';
import { builtVault, vaultVersion } from './vault.mjs';

/** Since 1.21 Go fetches the newer toolchain that a go.mod asks for. @type {[number, number]} */
const oldestGo = [1, 21];

/** The Go to build with. @throws {SetupError} when there is none that can read tools/vault/go.mod */
export function requireGo() {
  const go = which('go');
  if (!go)
    throw new SetupError(
      'neither Vault (1.19 or newer) nor Go is on PATH: install Go 1.25 or newer, from which set-up builds Vault',
    );
  const version = /go(\d+)\.(\d+)/.exec(outputOf(go, ['version']) ?? '');
  const [major = 0, minor = 0] = (version ?? []).slice(1).map(Number);
  if (major < oldestGo[0] || (major === oldestGo[0] && minor < oldestGo[1])) {
    throw new SetupError(
      `Go at ${go} is ${version?.[0] ?? 'not answering'}: install Go 1.25 or newer, from which set-up builds Vault`,
    );
  }
  return go;
}

/**
 * Builds the pinned Vault. It is written beside its place and renamed into it, so its place never holds half of one.
 * Call with the set-up lock held.
 * @param {string} go @param {AbortSignal} signal
 */
export async function buildVault(go, signal) {
  const { path, version } = builtVault();
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true });
  for (const left of readdirSync(folder).filter((name) => name.startsWith('building-')))
    rmSync(join(folder, left), { force: true });
  const unfinished = join(folder, `building-${process.pid}`);
  const args = [
    'build',
    '-mod=readonly',
    '-tags',
    'minimal',
    '-trimpath',
    '-ldflags',
    '-s -w',
    '-o',
    unfinished,
    'github.com/hashicorp/vault',
  ];
  const env = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off' };
  try {
    await withProgress(
      `building Vault ${version} with Go`,
      '5 to 10 minutes on two cores, seconds with a warm Go cache',
      () => run('building Vault', go, args, { signal, cwd: join(root, 'tools/vault'), env }),
    );
    if (vaultVersion(unfinished) !== version)
      throw new SetupError(`what Go built does not answer as Vault ${version}`);
    renameSync(unfinished, path);
  } finally {
    rmSync(unfinished, { force: true });
  }
}
