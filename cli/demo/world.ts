import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Collector, startCollector } from '../../harness/collector.ts';
import { type LoggingProcess, startProcess } from '../../harness/processes.ts';
import { type Cli, commandLine, must } from './command.ts';
import { createIssuer, type Issuer } from './issuer.ts';
import { LAYOUT, TRUST_DOMAIN } from './layout.ts';
import { type Place, type Service, serviceStarter } from './service.ts';
import { type DevVault, startDevVault, vaultToken } from './vault-server.ts';

/** Everything the demo runs: real processes, each of which ends with it. */
export type World = AsyncDisposable & {
  readonly dir: string;
  readonly vault: DevVault;
  readonly broker: LoggingProcess;
  readonly brokerUrl: string;
  readonly brokerAdmin: string;
  readonly rootCa: string;
  readonly orders: Service;
  readonly web: Service;
  /** Signs tokens of end users whom `orders` believes. */
  readonly issuer: Issuer;
  /** Null where it is not built. */
  readonly collector: Collector | null;
  /** Publishes policies with an author's token: those of the files, all there shall be. @returns what `signet` said */
  readonly publish: (files: readonly string[]) => Promise<string>;
  /** The command line, as a user of the demo's Vault and broker would run it. */
  readonly cli: Cli;
};

/** Programs of others that it runs. */
export type Binaries = { readonly vault: string; readonly collector: string | null };

/**
 * Builds the demo's world from nothing, and takes all of it down again if a step fails.
 * `told` is called as each step is done, with what a user would want to know of it.
 */
export async function createWorld(
  { vault: vaultBinary, collector: collectorBinary }: Binaries,
  told: (title: string, facts: string) => void,
): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'signet-demo-'));
  stack.defer(() => rm(dir, { recursive: true, force: true }));

  const vault = await startDevVault(vaultBinary);
  stack.use(vault.child);
  const base = { VAULT_ADDR: vault.address, SIGNET_TRUST_DOMAIN: TRUST_DOMAIN };
  const cli = commandLine(base);
  const admin = { VAULT_TOKEN: vault.rootToken };

  const layoutFile = join(dir, 'layout.json');
  await writeFile(layoutFile, JSON.stringify(LAYOUT));
  await must(cli(['vault', 'apply', '--config', layoutFile], admin), 'vault apply');
  await enableVaultAudit(vault, join(dir, 'vault-audit.log'));
  const rootCa = join(dir, 'root-ca.pem');
  await writeFile(rootCa, await (await fetch(`${vault.address}/v1/signet-pki-root/ca/pem`)).text());
  told('CA ready', `root and issuing CA of ${TRUST_DOMAIN} in Vault at ${vault.address}`);

  const { broker, brokerUrl, brokerAdmin } = await startBroker(stack, cli, { dir, base, admin });
  const collector =
    collectorBinary === null
      ? null
      : stack.use(await startCollector(collectorBinary, await collectorConfiguration()));
  const issuer = await createIssuer(dir);
  const author = { VAULT_TOKEN: await vaultToken(vault, 'signet-author') };
  const publish = (files: readonly string[]) =>
    must(cli(['policy', 'publish', ...files], author), 'policy publish');
  const published: string[] = [];
  const client = { SIGNET_BROKER_URL: brokerUrl, SIGNET_BROKER_CA: rootCa };
  const start = serviceStarter(stack, {
    ...{ dir, base: { ...base, ...client }, cli, vault, collector: collector?.url ?? null },
    usersFile: issuer.usersFile,
    publish: async (file) => {
      published.push(file);
      await publish(published);
    },
  });
  const orders = await start('orders');
  const web = await start('web', orders);
  for (const { firstSvid } of [orders, web]) {
    const { spiffe_id, serial, ttl_seconds, ms_since_start } = firstSvid;
    told(
      'SVID',
      `${spiffe_id} serial ${serial} for ${ttl_seconds} s, ${ms_since_start} ms after the sidecar's start`,
    );
  }

  const owned = stack.move();
  return {
    dir,
    vault,
    broker,
    brokerUrl,
    brokerAdmin,
    rootCa,
    orders,
    web,
    issuer,
    collector,
    publish,
    cli: (args, env = {}) => cli(args, { ...client, ...env }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function startBroker(
  stack: AsyncDisposableStack,
  cli: Cli,
  { dir, base, admin }: Pick<Place, 'dir' | 'base'> & { readonly admin: Record<string, string> },
) {
  const secretFile = join(dir, 'broker-secret-id');
  const credential = await must(
    cli(['vault', 'broker-credential', '--out', secretFile], admin),
    'broker-credential',
  );
  const broker = await startProcess({
    args: ['broker'],
    env: {
      ...base,
      SIGNET_LISTEN: '127.0.0.1:0',
      SIGNET_ADMIN: '127.0.0.1:0',
      SIGNET_BROKER_DNS: 'localhost',
      SIGNET_VAULT_ROLE_ID: /^role_id (\S+)$/m.exec(credential)?.[1] ?? '',
      SIGNET_VAULT_SECRET_ID_FILE: secretFile,
    },
  });
  stack.use(broker);
  return {
    broker,
    brokerUrl: `https://${await broker.addressOf('broker')}`,
    brokerAdmin: `http://${await broker.addressOf('admin')}`,
  };
}

/** As docs/telemetry.md shows it. */
async function collectorConfiguration(): Promise<string> {
  const doc = await readFile(new URL('../../docs/telemetry.md', import.meta.url), 'utf8');
  const configuration = /```yaml\n(.*?)```/s.exec(doc)?.[1];
  if (configuration === undefined) throw new Error('docs/telemetry.md has no configuration of a collector');
  return configuration;
}

/** Vault's own audit, which every Vault should have: doctor asks for it. */
async function enableVaultAudit(vault: DevVault, file: string): Promise<void> {
  const answer = await fetch(`${vault.address}/v1/sys/audit/file`, {
    method: 'PUT',
    headers: { 'X-Vault-Token': vault.rootToken },
    body: JSON.stringify({ type: 'file', options: { file_path: file } }),
  });
  if (!answer.ok) throw new Error(`Vault enabled no audit device: ${answer.status}`);
}
