// Renders the Terraform provider's reference, terraform/provider/docs, from its schemas and from terraform/provider/examples.
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { renderDocumentation } from '../terraform/provider/plugin/documentation.ts';
import { provider } from '../terraform/provider/provider.ts';
import { root } from './paths.mjs';

/** Where the pages lie. */
export const docsFolder = join(root, 'terraform/provider/docs');
const examples = join(root, 'terraform/provider/examples');

/** The pages by their paths. */
export function renderProviderDocs() {
  const files = globSync('**/*.tf', { cwd: examples }).sort();
  const texts = new Map(
    files.map((file) => [file.slice(0, -'.tf'.length), readFileSync(join(examples, file), 'utf8')]),
  );
  return renderDocumentation(provider, texts);
}

if (process.argv[1] === import.meta.filename) {
  rmSync(docsFolder, { recursive: true, force: true });
  for (const [path, text] of renderProviderDocs()) {
    mkdirSync(dirname(join(docsFolder, path)), { recursive: true });
    writeFileSync(join(docsFolder, path), text);
  }
}
