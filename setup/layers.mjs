import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cruise } from 'dependency-cruiser';
import rules from '../.dependency-cruiser.mjs';
import { root } from './paths.mjs';

const rooms = [
  'bench',
  'bin',
  'broker',
  'cli',
  'harness',
  'lib',
  'packaging',
  'setup',
  'sidecar',
  'terraform',
  'test',
];

/**
 * Judges the imports of every room by the layer rules.
 * @param {string} [folder] the clone, or a folder laid out like one
 * @returns {Promise<{ modules: number, violations: string[] }>} each violation as `rule: file imports file`
 */
export async function judgeLayers(folder = root) {
  const { forbidden = [], options } = rules;
  const present = rooms.filter((room) => existsSync(join(folder, room)));
  const { output } = await cruise(present, {
    ...options,
    baseDir: folder,
    validate: true,
    ruleSet: { forbidden },
  });
  if (typeof output === 'string') throw new Error('dependency-cruiser answered in words');
  const { totalCruised, violations } = output.summary;
  return {
    modules: totalCruised,
    violations: violations.map(({ rule, from, to }) => `${rule.name}: ${from} imports ${to}`),
  };
}
