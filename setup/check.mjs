// `npm run check`: types, lint and format, layers, unused code, side by side. Anything said by any of them is a failure.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { judgeLayers } from './layers.mjs';
import { modules, root } from './paths.mjs';

/** @type {[name: string, check: () => Promise<string>][]} each answers with what is wrong, or nothing */
const checks = [
  ['types', () => complaintsOf('tsc', '--noEmit', '--pretty', 'false')],
  ['lint and format', () => complaintsOf('biome', 'ci', '--error-on-warnings', '--colors=off')],
  ['unused code', () => complaintsOf('knip', '--no-progress')],
  ['layers', layerComplaints],
];

const results = await Promise.all(
  checks.map(async ([name, check]) => {
    const complaints = (await check()).trimEnd();
    console.log(complaints ? `check: ${name}: FAILED\n${complaints}\n` : `check: ${name}: clean`);
    return complaints === '';
  }),
);
process.exitCode = results.every(Boolean) ? 0 : 1;

/**
 * All that a tool says when it fails.
 * @param {string} tool @param {string[]} args
 * @returns {Promise<string>}
 */
function complaintsOf(tool, ...args) {
  return new Promise((resolve, reject) => {
    const child = spawn(join(modules, '.bin', tool), args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        said += chunk;
      });
    }
    child.on('error', reject);
    child.on('close', (code, signal) =>
      resolve(code === 0 ? '' : said || `${tool} ended with ${signal ?? code}`),
    );
  });
}

/** A tool that sees no module finds no fault, so their number is judged too. */
async function layerComplaints() {
  const { modules, violations } = await judgeLayers();
  if (modules === 0) return 'dependency-cruiser saw no module at all';
  return violations.join('\n');
}
