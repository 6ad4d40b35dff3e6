/**
 * Side-by-side benchmark. `npm run bench`, or `npm run bench -- --quick` for a rough answer in under two minutes.
 * Prints one table; writes bench/results.json and bench/RESULTS.md.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { freePort } from '../harness/port.ts';
import { which } from '../setup/commands.mjs';
import { cache, root } from '../setup/paths.mjs';
import { compare, type Effort, type Load, type Row } from './measure.ts';
import { backend, envoyPeer, nginxPeer } from './peers.ts';
import { output, type Program, type Running, start } from './processes.ts';
import { results, table } from './report.ts';
import { writeWorld } from './world.ts';

const LOADS: readonly Load[] = [
  { name: 'inbound, 64 connections', connections: 64, rate: 0 },
  { name: 'inbound, 1,000 req/s', connections: 8, rate: 1_000 },
];
const FULL: Effort = { rounds: 7, warmMs: 1_000, durationMs: 4_000 };
const QUICK: Effort = { rounds: 3, warmMs: 500, durationMs: 2_000 };
/** So that no one is measured while its code is still being compiled, or its memory still grows. */
const SETTLE: Effort = { rounds: 1, warmMs: 500, durationMs: 6_000 };
/** A young generation that stays in the CPU's cache, and no helper threads for collecting it. */
const FLAGS = ['--max-semi-space-size=2', '--single-threaded-gc'];

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });
const effort = values.quick ? QUICK : FULL;
const tell = (line: string) => void process.stderr.write(`bench: ${line}\n`);

const folder = join(cache, 'bench');
rmSync(join(folder, 'run'), { recursive: true, force: true });
const run = join(folder, 'run');
mkdirSync(run, { recursive: true });
tell('building the load generator and the sidecar');
const loadgen = await buildLoadgen();
const inbound = await compile();
await writeWorld(run);

await using stack = new AsyncDisposableStack();
const launch = async (program: Program): Promise<Running> => stack.use(await start(program, run));
const app = await launch(backend(run, await freePort()));
const programs = [await launch(await signet()), await launch(nginxPeer(run, await freePort(), app.port))];
const envoy = envoyPeer(run, await freePort(), app.port);
if (envoy === undefined) tell('no Envoy: it is left out');
else programs.push(await launch(envoy));

tell(`settling: ${SETTLE.durationMs / 1000} s of load each, not counted`);
await compare(LOADS[0]!, programs, loadgen, run, SETTLE, () => {});

const rows: Row[] = [];
for (const load of LOADS) rows.push(...(await compare(load, programs, loadgen, run, effort, tell)));
console.log(table(rows));
const here = fileURLToPath(new URL('.', import.meta.url));
writeFileSync(join(here, 'results.json'), `${JSON.stringify({ rows }, null, 2)}\n`);
writeFileSync(join(here, 'RESULTS.md'), await results(rows, effort, [`Node's flags: ${FLAGS.join(' ')}`]));

async function signet(): Promise<Program> {
  const port = await freePort();
  const args = [...FLAGS, inbound, run, `127.0.0.1:${port}`, `127.0.0.1:${app.port}`];
  return { name: 'signet', command: process.execPath, args, port };
}

async function buildLoadgen(): Promise<string> {
  const go = which('go');
  if (go === undefined) throw new Error('Go is not on PATH: the load generator is built with it');
  const binary = join(folder, 'loadgen');
  await output(go, ['-C', join(root, 'bench/loadgen'), 'build', '-o', binary, '.']);
  return binary;
}

/** As JavaScript, which is how Signet is shipped: Node's own type stripping costs memory. */
async function compile(): Promise<string> {
  await output(process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    '-p',
    join(root, 'bench/tsconfig.json'),
  ]);
  return join(folder, 'dist/bench/inbound-only.js');
}
