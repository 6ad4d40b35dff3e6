/**
 * Side-by-side benchmark. `npm run bench`, or `npm run bench -- --quick` for rougher answers in a few minutes; `--only TEXT` runs the
 * rows whose name holds it. Prints tables; writes bench/results.json and bench/RESULTS.md unless only some rows were asked for.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { which } from '../setup/commands.mjs';
import { cache, root } from '../setup/paths.mjs';
import { circumstances, load as loadNow } from './circumstances.ts';
import { DECISION, measureDecisions } from './decision.ts';
import { compare, type Effort, generator, settle } from './measure.ts';
import { IDLE, idleRows, MEMORY, memoryRows } from './memory.ts';
import { envoyPeer } from './peers/envoy.ts';
import { ghostunnelPeer } from './peers/ghostunnel.ts';
import { haproxyPeer } from './peers/haproxy.ts';
import { nginxPeer } from './peers/nginx.ts';
import { FLAGS, signetPeer, VARIANTS } from './peers/signet.ts';
import { output } from './processes.ts';
import { markdown, type Report, terminalText } from './report.ts';
import { type Row, rowsOf } from './rows.ts';
import { ALL_PEERS, RULES, scenarios } from './scenarios.ts';
import { launch, type Place } from './subjects.ts';
import { verdicts } from './verdict.ts';
import { writeWorld } from './world.ts';

const FULL: Effort = { rounds: 5, closeRounds: 7, warmMs: 700, durationMs: 3_000, settleMs: 6_000 };
const QUICK: Effort = { rounds: 2, closeRounds: 3, warmMs: 300, durationMs: 1_500, settleMs: 3_000 };
/** Memory differs little from one start to the next. */
const MEMORY_ROUNDS = { full: 3, quick: 1 };
const BUSY_MS = { full: 8_000, quick: 4_000 };

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, only: { type: 'string', default: '' } },
});
const { quick, only } = values;
const kind = quick ? 'quick' : 'full';
const effort = quick ? QUICK : FULL;
const tell = (line: string) => void process.stderr.write(`bench: ${line}\n`);
const wanted = (name: string) => name.includes(only);
const [begun, loadAtStart] = [Date.now(), loadNow()];

const chosen = scenarios(quick)
  .map((each) => ({ ...each, wanted: each.loads.filter(({ name }) => wanted(name)) }))
  .filter((each) => each.wanted.length > 0);
const others = [MEMORY, IDLE, DECISION].filter(wanted);
if (chosen.length + others.length === 0) {
  const names = scenarios(quick).flatMap(({ loads }) => loads.map(({ name }) => name));
  tell(`no row's name holds "${only}"; there are: ${[...names, MEMORY, IDLE, DECISION].join('; ')}`);
  process.exit(2);
}

// Its own, so that two runs do not meet; in the cache, from where what is compiled finds its packages.
mkdirSync(cache, { recursive: true });
const folder = mkdtempSync(join(cache, 'bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

tell('building the load generator and the proxies');
const dist = join(folder, 'dist');
await Promise.all([buildLoadgen(), compile()]);
await writeWorld(folder, new Set([RULES, ...chosen.map(({ setting }) => setting.rules)]));
const own = VARIANTS.map((variant) => signetPeer(dist, variant));
const peers = [...own, nginxPeer(), haproxyPeer(), envoyPeer(), ghostunnelPeer()].filter(
  (peer) => peer !== undefined,
);
const missing = ALL_PEERS.filter((name) => !peers.some((peer) => peer.name === name));
if (missing.length > 0) tell(`not installed, so left out: ${missing.join(', ')}`);

const leftOut = new Set<string>();
const place: Place = {
  folder,
  anyApp: join(folder, 'bin/app'),
  peers,
  tell,
  leftOut: (line) => {
    leftOut.add(line);
    tell(line);
  },
};
const generate = generator(join(folder, 'bin/loadgen'), folder);
const rows: Row[] = [];
for (const scenario of chosen) {
  const { section, loads } = scenario;
  await using subjects = await launch(section, scenario, place);
  await settle(loads[0]!, subjects.all, generate, effort);
  for (const load of scenario.wanted)
    rows.push(...rowsOf(section, load, await compare(load, subjects.all, generate, effort, tell)));
}
if (others.includes(MEMORY))
  rows.push(...(await memoryRows(place, generate, MEMORY_ROUNDS[kind], BUSY_MS[kind])));
if (others.includes(IDLE)) rows.push(...(await idleRows(place, generate, MEMORY_ROUNDS[kind])));
const decisions = others.includes(DECISION) ? await measureDecisions(dist, FLAGS, tell) : [];
const ours = decisions.find(({ impl }) => impl === 'signet');

const report: Report = {
  rows,
  decisions,
  verdicts: verdicts(rows, ours?.p99_ns).filter(({ measured }) => only === '' || measured !== undefined),
  circumstances: [
    ...(await circumstances(effort, loadAtStart, Date.now() - begun)),
    ...missing.map((name) => `left out, because it is not installed: ${name}`),
    ...leftOut,
  ],
};
console.log(terminalText(report));
if (only === '') {
  const here = fileURLToPath(new URL('.', import.meta.url));
  writeFileSync(join(here, 'results.json'), `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(join(here, 'RESULTS.md'), markdown(report));
}

async function buildLoadgen(): Promise<void> {
  const go = which('go');
  if (go === undefined) throw new Error('Go is not on PATH: the load generator is built with it');
  const bin = join(folder, 'bin/');
  mkdirSync(bin);
  await output(go, ['-C', join(root, 'bench/loadgen'), 'build', '-mod=readonly', '-o', bin, './...']);
}

/** As JavaScript, which is how Signet is shipped: Node's own type stripping costs memory. */
async function compile(): Promise<void> {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  await output(process.execPath, [tsc, '-p', join(root, 'bench/tsconfig.json'), '--outDir', dist]);
}
