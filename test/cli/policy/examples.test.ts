import assert from 'node:assert/strict';
import { globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import {
  compilePolicies,
  type PolicyDocument,
  type PolicySource,
  readPolicies,
} from '../../../lib/policy/index.ts';
import { Coverage, parseSuite, runSuite, type Suite } from '../../../lib/policy/suite/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { signet } from '../signet.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = join(root, 'examples/policies');
const sourceOf = (file: string): PolicySource => ({ file, text: readFileSync(file, 'utf8') });
const suites = globSync('*/*.test.json', { cwd: folder }).map((file) => join(folder, file));
const policiesBeside = (suite: string) =>
  globSync('*.json', { cwd: dirname(suite) })
    .filter((file) => !file.endsWith('.test.json'))
    .map((file) => join(dirname(suite), file));

describe('examples/policies', () => {
  it('every suite passes, and every rule is reached', async () => {
    const ran = await signet(['policy', 'test', 'examples/policies', '--coverage', '100'], { cwd: root });
    assert.equal(ran.status, 0, ran.stdout);
    assert.match(ran.stdout, /\n\d+ passed, 0 failed, 100 % of \d+ rules covered\n$/);
  });

  it('every folder has policies, a suite and a word on them, and is in the table', () => {
    const table = readFileSync(join(folder, 'README.md'), 'utf8');
    const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    assert.deepEqual(folders.map(({ name }) => name).sort(), [
      'abac',
      'break-glass',
      'consent',
      'hierarchy',
      'rbac',
      'risk',
    ]);
    for (const { name } of folders) {
      assert.ok(table.includes(`[${name}](${name})`), name);
      assert.ok(readFileSync(join(folder, name, 'README.md'), 'utf8').startsWith('# '));
    }
    assert.equal(suites.length, folders.length);
  });

  it('all files are as the published schemas say', () => {
    const ajv = new Ajv2020({ strict: false });
    for (const [files, schema] of [
      [suites, 'lib/policy/suite/schema.json'],
      [suites.flatMap(policiesBeside), 'lib/policy/schema.json'],
    ] as const) {
      const validate = ajv.compile(JSON.parse(readFileSync(join(root, schema), 'utf8')));
      for (const file of files)
        assert.ok(
          validate(JSON.parse(readFileSync(file, 'utf8'))),
          `${file}: ${ajv.errorsText(validate.errors)}`,
        );
    }
  });

  // A suite that passes without a rule says nothing about it.
  for (const file of suites) {
    it(`${file.slice(folder.length + 1)} fails when any of its rules is gone, or enforced the other way`, async () => {
      const suite = parseSuite(sourceOf(file));
      const documents = await readPolicies(policiesBeside(file).map(sourceOf));
      assert.equal(failures(suite, documents), 0);
      for (const document of documents) {
        const others = documents.filter((other) => other !== document);
        assert.ok(failures(suite, others) > 0, `without ${document.name}`);
        const other = document.mode === 'enforce' ? 'dry-run' : 'enforce';
        assert.ok(
          failures(suite, [...others, { ...document, mode: other }]) > 0,
          `${document.name} in ${other}`,
        );
      }
    });
  }
});

function failures(suite: Suite, documents: readonly PolicyDocument[]): number {
  const named = documents.find(({ target }) => !target.isPattern)?.target.toString();
  const target = suite.target ?? parseSpiffeId(String(named));
  return runSuite(suite, compilePolicies(documents, target), new Coverage()).failures.length;
}
