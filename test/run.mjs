// Runs the tests: every group, or just those named as arguments.
// Its last line is `N passed, N failed`, alone.
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { modules, root } from '../setup/paths.mjs';
import { runMocha } from './support/mocha-group.mjs';

/**
 * A test file belongs to the first group that it matches. The long ones stand first, to start first.
 * @type {Record<string, RegExp>}
 */
const groups = {
  e2e: /^test\/e2e\//,
  kubernetes: /^test\/kubernetes\//,
  conformance: /^test\/conformance\//,
  sidecar: /^test\/sidecar\//,
  broker: /^test\/broker\//,
  vault: /^test\/(vault|cli|lib\/adapter|lib\/vault-layout)\//,
  terraform: /^test\/terraform\//,
  hosts: /^test\/hosts\//,
  setup: /^test\/(bin|packaging|setup|support)\//,
  unit: /^test\//,
};
/** Groups whose suites are told one by one. */
const told = ['conformance'];
/** Groups that hold our programs to a time, or make a node of the machine, have the machine to themselves; of the others, two run side by side. */
const timed = ['e2e', 'kubernetes'];

const asked = process.argv.slice(2);
const strange = asked.filter((name) => !(name in groups));
if (strange.length > 0) {
  console.error(`no test group ${strange.join(', ')}; there are ${Object.keys(groups).join(', ')}`);
  process.exit(2);
}

const scratch = mkdtempSync(join(tmpdir(), 'signet-tests-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(signal, () => process.exit(1));
}
const coverage = asked.length === 0 ? join(scratch, 'coverage') : undefined;
const queue = [...filesByGroup()].filter(([name]) => asked.length === 0 || asked.includes(name));
const live = queue.length === 1;

const total = { passed: 0, failed: 0 };
/** @type {string[]} */
const skipped = [];
/** What the groups that failed have to say. It is told last, where nobody who reads the end of a long log misses it. @type {string[]} */
const broken = [];
await runGroups(queue.filter(([name]) => timed.includes(name)));
const others = queue.filter(([name]) => !timed.includes(name));
await Promise.all([runGroups(others), runGroups(others)]);
if (coverage) printCoverage(coverage);
for (const text of broken) console.log(text);
for (const title of skipped) console.log(`skipped: ${title}`);
if (process.env['CI'] === 'true') total.failed += skipped.length;
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0);

/** @returns {Map<string, string[]>} */
function filesByGroup() {
  const names = Object.keys(groups);
  const byGroup = new Map(names.map((name) => [name, /** @type {string[]} */ ([])]));
  for (const file of globSync('test/**/*.test.ts', { cwd: root }).sort()) {
    const name = names.find((each) => groups[each]?.test(file));
    byGroup.get(String(name))?.push(file);
  }
  for (const [name, files] of byGroup) if (files.length === 0) byGroup.delete(name);
  return byGroup;
}

/** Takes groups off the list, one after the other, until it is empty. @param {[name: string, files: string[]][]} list */
async function runGroups(list) {
  for (let next = list.shift(); next; next = list.shift()) {
    const [name, files] = next;
    console.log(`test group ${name}: ${files.length} files`);
    const outcome = await runMocha(files, {
      live,
      tallyFile: join(scratch, `${name}.json`),
      coverage,
    });
    total.passed += outcome.passed;
    total.failed += outcome.failed;
    skipped.push(...outcome.skipped);
    if (told.includes(name))
      for (const [title, { passed, failed }] of Object.entries(outcome.suites))
        console.log(`${name}: ${title}: ${passed} passed, ${failed} failed`);
    const counts = `${outcome.passed} passed, ${outcome.failed} failed, ${outcome.skipped.length} skipped`;
    console.log(`test group ${name}: ${counts}, ${outcome.seconds.toFixed(1)} s`);
    if (outcome.failed > 0 && outcome.output) broken.push(`test group ${name}:\n${outcome.output}`);
  }
}

/** @param {string} folder where Node left its raw counts */
function printCoverage(folder) {
  const options = [
    '--temp-directory',
    folder,
    '--all',
    '--src',
    'lib',
    '--include',
    'lib/**/*.ts',
    '--reporter',
    'text',
  ];
  spawnSync(join(modules, '.bin/c8'), ['report', ...options], { cwd: root, stdio: 'inherit' });
}
