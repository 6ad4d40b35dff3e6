import { existsSync, mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { outputOf, SetupError, say } from './commands.mjs';
import { buildGo, builtGo, findBuiltGo, findGo, requiredVersion } from './go-build.mjs';
import { cache } from './paths.mjs';

/** @type {import('./go-build.mjs').GoProgram} */
const tofu = { name: 'tofu', folder: 'tools/tofu', package: 'github.com/opentofu/opentofu/cmd/tofu' };

/** The newest official provider for Vault that its module can be built of. @type {import('./go-build.mjs').GoProgram} */
const provider = {
  name: 'terraform-provider-vault',
  folder: 'tools/terraform-provider-vault',
  package: 'github.com/hashicorp/terraform-provider-vault',
};
/** As its releases count; its module's tags do not. */
const PROVIDER_VERSION = '3.3.1';

/** By their real names: several clones may share one cache. */
const folder = () => join(realpathSync(cache), 'terraform');
const mirror = () => join(folder(), 'mirror');

/**
 * OpenTofu, and the CLI configuration by which it takes providers out of a folder and asks no registry; undefined where they are not built.
 * @returns {{ tofu: string, configuration: string } | undefined}
 */
export function terraformPrograms() {
  const program = findBuiltGo(tofu);
  const built = findBuiltGo(provider);
  if (!program || !built) return undefined;
  const configuration = join(folder(), 'cli.tfrc');
  if (!existsSync(configuration) || !existsSync(inMirror())) return undefined;
  if (realpathSync(inMirror()) !== realpathSync(built)) return undefined;
  return { tofu: program, configuration };
}

/**
 * Builds what is missing of them. Without Go it says so: the tests with Terraform's modules are then skipped. Call with the set-up lock
 * held.
 * @param {AbortSignal} signal
 */
export async function provideTerraform(signal) {
  const { go, missing } = findGo();
  if (!go) return say(`${missing}: the tests of the Terraform modules are skipped; install Go 1.26 or newer`);
  if (!findBuiltGo(provider)) await buildGo(provider, go, { expected: '1 to 2 minutes', signal });
  if (!findBuiltGo(tofu))
    await buildGo(tofu, go, {
      expected: '3 to 7 minutes on two cores, seconds with a warm Go cache',
      check: (unfinished) => {
        const version = requiredVersion(tofu.folder, tofu.package);
        if (!outputOf(unfinished, ['version'])?.includes(`v${version}`))
          throw new SetupError(`what Go built does not answer as OpenTofu ${version}`);
      },
      signal,
    });
  fillMirror();
}

function inMirror() {
  const { platform, arch } = process;
  const target = `${platform}_${arch === 'x64' ? 'amd64' : arch}`;
  const file = `terraform-provider-vault_v${PROVIDER_VERSION}`;
  return join(mirror(), 'registry.opentofu.org/hashicorp/vault', PROVIDER_VERSION, target, file);
}

function fillMirror() {
  rmSync(mirror(), { recursive: true, force: true });
  mkdirSync(dirname(inMirror()), { recursive: true });
  symlinkSync(realpathSync(builtGo(provider).path), inMirror());
  writeFileSync(
    join(folder(), 'cli.tfrc'),
    `provider_installation {\n  filesystem_mirror {\n    path = ${JSON.stringify(mirror())}\n  }\n}\n`,
  );
}
