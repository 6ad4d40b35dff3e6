import { globSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../setup/paths.mjs';
import { bundleProvider } from './bundle.ts';

export interface MirrorOptions {
  /** Emptied first. */
  readonly folder: string;
  /** What the provider is built of; Signet's own without it. */
  readonly provider?: ProviderSource;
}

export interface ProviderSource {
  readonly name: string;
  readonly version: string;
  /** Its program, from the root of the sources. */
  readonly main: string;
}

export interface Mirror {
  /** For `filesystem_mirror`. */
  readonly folder: string;
  /** A CLI configuration that takes Signet's providers out of it, and all others from where they come otherwise. */
  readonly configuration: string;
}

export const SIGNET: ProviderSource = {
  name: 'signet',
  version: '0.1.0',
  main: 'terraform/provider/main.ts',
};

/** A source `signet/signet` means the one host to OpenTofu, the other to Terraform. */
const HOSTS = ['registry.opentofu.org', 'registry.terraform.io'];
/** The file is the same for all: it needs a Node of the machine. */
const PLATFORMS = ['linux_amd64', 'linux_arm64', 'darwin_amd64', 'darwin_arm64'];

/** Builds the provider into a mirror, as `terraform init` and `tofu init` read it. */
export async function buildMirror({ folder, provider = SIGNET }: MirrorOptions): Promise<Mirror> {
  const { name, version } = provider;
  const { program, packages } = await bundleProvider(provider);
  const licences = await licencesOf(packages);
  await rm(folder, { recursive: true, force: true });
  const mirror = join(folder, 'mirror');
  for (const host of HOSTS)
    for (const platform of PLATFORMS) {
      const place = join(mirror, host, 'signet', name, version, platform);
      await mkdir(place, { recursive: true });
      await writeFile(join(place, `terraform-provider-${name}_v${version}`), program, { mode: 0o755 });
      await writeFile(join(place, 'LICENCES-OF-OTHERS.txt'), licences);
    }
  const configuration = join(folder, 'cli.tfrc');
  await writeFile(configuration, configurationFor(mirror));
  return { folder: mirror, configuration };
}

function configurationFor(mirror: string): string {
  const ours = JSON.stringify(HOSTS.map((host) => `${host}/signet/*`));
  return `provider_installation {
  filesystem_mirror {
    path    = ${JSON.stringify(mirror)}
    include = ${ours}
  }
  direct {
    exclude = ${ours}
  }
}
`;
}

/** What packages of others say of their licences goes with them. */
async function licencesOf(packages: readonly string[]): Promise<string> {
  const texts = packages.flatMap((folder) =>
    globSync('{[Ll][Ii][Cc][Ee][Nn][CcSs][Ee],[Nn][Oo][Tt][Ii][Cc][Ee],[Cc][Oo][Pp][Yy][Ii][Nn][Gg]}*', {
      cwd: join(root, folder),
    })
      .sort()
      .map(async (file) => {
        const name = `${folder.slice('node_modules/'.length)}/${file}`;
        return `== ${name}\n\n${await readFile(join(root, folder, file), 'utf8')}\n`;
      }),
  );
  return (await Promise.all(texts)).join('\n');
}
