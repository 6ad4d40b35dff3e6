import assert from 'node:assert/strict';
import { existsSync, globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { docsFolder, renderProviderDocs } from '../../../setup/render-provider-docs.mjs';
import { renderDocumentation } from '../../../terraform/provider/plugin/documentation.ts';
import { probe } from './probe/provider.ts';

describe('the pages of a provider', () => {
  const pages = renderDocumentation(
    probe,
    new Map([
      ['provider', 'provider "probe" {}\n'],
      ['imports/probe_thing', 'import {\n  to = probe_thing.a\n  id = "a"\n}\n'],
    ]),
  );

  it('are one for itself and one for each of its types', () => {
    assert.deepEqual(
      [...pages.keys()],
      ['index.md', 'resources/thing.md', 'data-sources/thing.md', 'ephemeral-resources/token.md'],
    );
  });

  it('tell what is given, what is told, and examples', () => {
    assert.equal(
      pages.get('index.md'),
      '# Provider probe\n\nA probe.\n\n## Example\n\n```terraform\nprovider "probe" {}\n```\n\n## Arguments\n\n' +
        '- `store` (string, required): The folder of its store.\n- `key` (string, sensitive): A key.\n',
    );
    const thing = String(pages.get('resources/thing.md'));
    for (const line of [
      '- `name` (string, required, a change makes a new one): Its name.',
      '- `size` (number, `1` if not set): Its size.',
      '- `on` (bool, decided by the provider if not set): Whether it is on; true if not set.',
      '- `token` (string, write-only: in no plan and no state): A secret in no state.',
      '- `old` (string): A note, formerly. **Deprecated.** Use `note`.',
      '- `port` (blocks, list, at most 20000): A port.',
      '## Attributes\n\n- `id` (string, read-only): Its id.',
      '### `port.from`\n\n- `network` (string): A network.',
      '### `timeouts`\n\n- `create` (string): For create; `1m` if not set.',
    ])
      assert.ok(thing.includes(`${line}\n`), line);
    assert.ok(thing.endsWith('import {\n  to = probe_thing.a\n  id = "a"\n}\n```\n'));
  });
});

// The pages are made when there are types to tell of.
if (existsSync(docsFolder))
  describe('the reference of the provider', () => {
    it('is in step with its schemas (node setup/render-provider-docs.mjs writes it)', async () => {
      const rendered = renderProviderDocs();
      assert.deepEqual(globSync('**/*.md', { cwd: docsFolder }).sort(), [...rendered.keys()].sort());
      for (const [path, text] of rendered)
        assert.equal(await readFile(join(docsFolder, path), 'utf8'), text, path);
    });
  });
