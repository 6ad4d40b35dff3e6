import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isExecutable, outputOf, run, SetupError, which, withProgress } from './commands.mjs';
import { cache, root } from './paths.mjs';

/**
 * A program that is built from a module of ours, whose go.mod and go.sum pin it and all it imports. `version`: where go.mod does not tell it.
 * `variables`: what the linker sets, each `package.name=value`.
 * @typedef {{ name: string, folder: string, package: string, tags?: string, cgo?: boolean, version?: () => string, variables?: () => string[] }} GoProgram
 */

/** Since 1.21 Go fetches the newer toolchain that a go.mod asks for. @type {[number, number]} */
const oldestGo = [1, 21];

export const NO_GO = 'Go is not on PATH';

/** The Go on PATH that can read our go.mod files, or why there is none: how a sentence about it begins. */
export function findGo() {
  const go = which('go');
  if (!go) return { missing: NO_GO };
  const version = /go(\d+)\.(\d+)/.exec(outputOf(go, ['version']) ?? '');
  const [major = 0, minor = 0] = (version ?? []).slice(1).map(Number);
  const old = major < oldestGo[0] || (major === oldestGo[0] && minor < oldestGo[1]);
  return old ? { missing: `Go at ${go} is ${version?.[0] ?? 'not answering'}` } : { go };
}

/**
 * Where a program built here goes; its name carries the version, so a new pin builds anew.
 * @param {GoProgram} program
 */
export function builtGo(program) {
  const version = program.version?.() ?? requiredVersion(program.folder, program.package);
  const file = program.name.toLowerCase();
  return { path: join(cache, file, `${file}-${version}`), version };
}

/** The version that a module of ours requires of the module which holds a package. @param {string} folder @param {string} wanted */
export function requiredVersion(folder, wanted) {
  const required = readFileSync(join(root, folder, 'go.mod'), 'utf8').matchAll(
    /^\s*(?:require )?(\S+) v(\S+)/gm,
  );
  const pinned = [...required].find(([, module]) => wanted === module || wanted.startsWith(`${module}/`));
  const version = pinned?.[2]?.replace('+incompatible', '');
  if (!version) throw new SetupError(`${folder}/go.mod pins no ${wanted}`);
  return version;
}

/** Stands for a version where the program is ours, so that a change of it builds anew. @param {string} folder */
export function sourcesHash(folder) {
  const sources = join(root, folder);
  const hash = createHash('sha256');
  for (const name of readdirSync(sources).sort())
    if (/\.go$|^go\.(mod|sum)$/.test(name)) hash.update(name).update(readFileSync(join(sources, name)));
  return hash.digest('hex').slice(0, 16);
}

/** The program if it was built here. @param {GoProgram} program */
export function findBuiltGo(program) {
  const { path } = builtGo(program);
  return isExecutable(path) ? path : undefined;
}

/**
 * Builds the pinned version of a program. It is written beside its place and renamed into it, so its place never holds half of one.
 * Call with the set-up lock held.
 * @param {GoProgram} program @param {string} go
 * @param {{ expected: string, check?: (unfinished: string) => void, signal: AbortSignal }} options `check` throws at what is not the program
 */
export async function buildGo(program, go, { expected, check, signal }) {
  const { path, version } = builtGo(program);
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true });
  for (const left of readdirSync(folder).filter((name) => name.startsWith('building-')))
    rmSync(join(folder, left), { force: true });
  const unfinished = join(folder, `building-${process.pid}`);
  const tags = program.tags === undefined ? [] : ['-tags', program.tags];
  const ldflags = ['-s -w', ...(program.variables?.() ?? []).map((each) => `-X ${each}`)].join(' ');
  const options = ['-mod=readonly', ...tags, '-trimpath', '-ldflags', ldflags];
  const env = { ...process.env, CGO_ENABLED: program.cgo ? '1' : '0', GOWORK: 'off' };
  const cwd = join(root, program.folder);
  try {
    await withProgress(`building ${program.name} ${version} with Go`, expected, () =>
      run(`building ${program.name}`, go, ['build', ...options, '-o', unfinished, program.package], {
        signal,
        cwd,
        env,
      }),
    );
    check?.(unfinished);
    renameSync(unfinished, path);
  } finally {
    rmSync(unfinished, { force: true });
  }
}
