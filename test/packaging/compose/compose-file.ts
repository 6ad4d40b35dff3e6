import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { root } from '../../../setup/paths.mjs';

export const folder = join(root, 'examples/compose');

export type Service = {
  readonly image: string;
  readonly user: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly configs?: readonly { readonly source: string; readonly target: string }[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly network_mode?: string;
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
};
type Files = Readonly<Record<string, { readonly file: string }>>;

export type ComposeFile = {
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets: Files;
  readonly configs: Files;
};

export const composeText = readFileSync(join(folder, 'compose.yaml'), 'utf8');

/** The example, its variables replaced as Compose does: `${NAME:-otherwise}` and `${NAME:?what is missing}`. @throws where one is missing */
export function readCompose(variables: Readonly<Record<string, string>>): ComposeFile {
  const text = composeText.replace(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name, kind, rest) => {
    const value = variables[name] ?? '';
    if (value !== '') return value;
    if (kind !== '-') throw new Error(`${name}: ${rest}`);
    return rest;
  });
  return load(text) as ComposeFile;
}
