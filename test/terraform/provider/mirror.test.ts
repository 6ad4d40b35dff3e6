import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild } from '../../../harness/child.ts';
import { buildMirror, type Mirror, SIGNET } from '../../../packaging/terraform-provider/mirror.ts';
import { provider } from '../../../terraform/provider/provider.ts';
import { drivers } from './workspace.ts';

describe('the mirror of the provider', function () {
  this.timeout(180_000);
  let folder: string;
  let mirror: Mirror;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'signet-mirror-'));
    mirror = await buildMirror({ folder: join(folder, 'built') });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const run = async (program: string, args: readonly string[], env: Record<string, string> = {}) => {
    const child = await startChild(program, args, {
      cwd: folder,
      env: { HOME: folder, PATH: process.env['PATH'], CHECKPOINT_DISABLE: '1', ...env },
    });
    child.stdin.end();
    const { code } = await child.ended;
    return { code, out: child.stdout(), err: child.stderr() };
  };
  const program = () =>
    join(
      mirror.folder,
      'registry.opentofu.org/signet/signet/0.1.0/linux_amd64/terraform-provider-signet_v0.1.0',
    );

  it('holds the provider by the name and version that it tells of itself', async () => {
    assert.deepEqual([SIGNET.name, SIGNET.version], [provider.name, provider.version]);
    assert.deepEqual(await readdir(mirror.folder), ['registry.opentofu.org', 'registry.terraform.io']);
  });

  it('holds a program that says what it is when it is run by hand, whatever stands in the folder above', async () => {
    for (const type of ['module', 'commonjs']) {
      await writeFile(join(folder, 'package.json'), JSON.stringify({ type }));
      const ran = await run(program(), []);
      assert.deepEqual(ran, {
        code: 1,
        out: '',
        err: 'terraform-provider-signet 0.1.0 is a plugin of Terraform and OpenTofu, which start it themselves; it does nothing when run by hand\n',
      });
    }
  });

  it('holds a program that says which Node it needs where there is none', async () => {
    const { code, err } = await run('/bin/sh', [program()], { PATH: '/nowhere' });
    assert.equal(code, 1);
    assert.equal(err, 'terraform-provider-signet needs Node 26 or newer on the PATH\n');
  });

  for (const driver of drivers())
    it(`is what ${driver.name} installs the provider out of, and starts it`, async function () {
      const { program: driving } = driver;
      if (driving === undefined) return this.skip();
      await rm(join(folder, '.terraform.lock.hcl'), { force: true });
      await rm(join(folder, '.terraform'), { recursive: true, force: true });
      await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
      await writeFile(
        join(folder, 'main.tf'),
        `terraform {
  required_providers {
    signet = { source = "signet/signet", version = "0.1.0" }
  }
}
`,
      );
      const env = { TF_CLI_CONFIG_FILE: mirror.configuration };
      const init = await run(driving, ['init', '-input=false', '-no-color'], env);
      assert.equal(init.code, 0, init.err);
      const schema = await run(driving, ['providers', 'schema', '-json'], env);
      assert.equal(schema.code, 0, schema.err);
      const [told] = Object.values(JSON.parse(schema.out).provider_schemas) as [{ provider: object }];
      assert.ok(told.provider);
    });
});
