import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadPolicy } from '@open-policy-agent/opa-wasm';
import { ASKED, RULES, type Rule } from '../policy-rules.ts';
import { output } from '../processes.ts';
import type { Engine } from './engine.ts';

/** Compiles the rules to WebAssembly, and tells the file. */
export async function compileForOpa(opa: string, folder: string): Promise<string> {
  const [source, bundle] = [join(folder, 'policy.rego'), join(folder, 'bundle.tar.gz')];
  writeFileSync(source, rego());
  await output(opa, [
    'build',
    '--target',
    'wasm',
    '--entrypoint',
    'bench/allowed',
    '--output',
    bundle,
    source,
  ]);
  await output('tar', ['-xzf', bundle, '-C', folder, '/policy.wasm']);
  return join(folder, 'policy.wasm');
}

/** OPA as WebAssembly, by its npm package; each request is handed over as an object. */
export async function opaEngine(file: string): Promise<Engine> {
  const policy = await loadPolicy(readFileSync(file));
  const inputs = ASKED.map(({ caller, method, path }) => ({
    caller,
    method,
    path: path.slice(1).split('/'),
  }));
  return { allows: (index) => policy.evaluate(inputs[index]!)[0]?.result === true };
}

/** A Rego rule for each; it has no dry-run: these are left out. Paths are arrays, which Rego compares more cheaply than texts. */
function rego(): string {
  const rules = RULES.filter(({ mode }) => mode === 'enforce').map(ruleOf);
  return ['package bench', 'default allowed := false', 'allowed if { allow; not deny }', ...rules].join('\n');
}

function ruleOf({ effect, callers, methods, path: { is, starts, oneBelow } }: Rule): string {
  const text = JSON.stringify;
  const path = (is ?? starts ?? oneBelow)!.slice(1).split('/');
  const length = starts === undefined ? (oneBelow === undefined ? path.length : path.length + 1) : null;
  const all = [
    ...path.map((segment, i) => `input.path[${i}] == ${text(segment)}`),
    ...(length === null ? [] : [`count(input.path) == ${length}`]),
    ...(oneBelow === undefined ? [] : [`input.path[${path.length}] != ""`]),
    ...(methods === undefined ? [] : [`input.method in {${methods.map((each) => text(each)).join(', ')}}`]),
    ...(callers === undefined ? [] : [`input.caller in {${callers.map((each) => text(each)).join(', ')}}`]),
  ];
  return `${effect} if { ${all.join('; ')} }`;
}
