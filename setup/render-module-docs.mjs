// Renders the inputs and outputs of each Terraform module, terraform/modules/*, into the end of its README.md, from `## Inputs` on.
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from './paths.mjs';

const START = '## Inputs\n';

/** The whole READMEs by their files. @returns {Map<string, string>} */
export function renderModuleDocs() {
  const files = globSync('terraform/modules/*/README.md', { cwd: root }).sort();
  return new Map(
    files.map((file) => {
      const text = readFileSync(join(root, file), 'utf8');
      const at = text.indexOf(START);
      if (at < 0) throw new Error(`${file} has no line "${START.trim()}"`);
      return [join(root, file), text.slice(0, at) + tablesOf(join(root, dirname(file)))];
    }),
  );
}

/** @param {string} folder */
function tablesOf(folder) {
  const text = globSync('*.tf', { cwd: folder })
    .sort()
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join('\n');
  const inputs = blocksOf(text, 'variable').map(({ name, body }) => {
    const fallback = /^ {2}default += (.*)$/m.exec(body)?.[1];
    const given = fallback === undefined ? 'required' : fallback === 'null' ? '' : `\`${fallback}\``;
    return `| \`${name}\` | ${given} | ${described(name, body)} |`;
  });
  const outputs = blocksOf(text, 'output').map(({ name, body }) => {
    const kept = /^ {2}ephemeral += true$/m.test(body) ? ' (ephemeral)' : '';
    return `| \`${name}\`${kept} | ${described(name, body)} |`;
  });
  return [
    ...[START, '| input | if not set | meaning |', '|---|---|---|', ...inputs, ''],
    ...['## Outputs\n', '| output | meaning |', '|---|---|', ...outputs, ''],
  ].join('\n');
}

/** @param {string} text @param {string} kind */
function blocksOf(text, kind) {
  const found = text.matchAll(new RegExp(`^${kind} "([a-z_0-9]+)" \\{\\n([\\s\\S]*?)^\\}$`, 'gm'));
  return [...found].map(([, name = '', body = '']) => ({ name, body }));
}

/** @param {string} name @param {string} body */
function described(name, body) {
  const [, text] = /^ {2}description += (".*")$/m.exec(body) ?? [];
  if (text === undefined) throw new Error(`${name} has no description`);
  return String(JSON.parse(text)).replaceAll('|', '\\|');
}

if (process.argv[1] === import.meta.filename)
  for (const [file, text] of renderModuleDocs()) writeFileSync(file, text);
