import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Context } from 'mocha';
import type { Host } from '../../harness/hosts/host.ts';
import { openYard, type Yard } from '../../harness/hosts/yard.ts';
import { hostRoot } from '../../setup/hosts.mjs';
import { createWorld, type World } from '../e2e/world.ts';

/** Hosts beside a Vault and a broker that they reach over the network. */
export interface Site extends AsyncDisposable {
  readonly yard: Yard;
  readonly world: World;
}

/** @throws without root, or without the Debian for hosts */
export async function openSite(): Promise<Site> {
  await using stack = new AsyncDisposableStack();
  const yard = stack.use(await openYard());
  const world = stack.use(await createWorld({ tls: true, host: yard.address }));
  const owned = stack.move();
  return { yard, world, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Where hosts cannot be had they are not; with CI=true that is a failure. */
export function needHosts(context: Context): void {
  if (!hostRoot() && process.env['CI'] !== 'true') context.skip();
}

/** Installs a package as an operator does who has its file; what dpkg printed. */
export async function install(host: Host, file: string): Promise<string> {
  await copyFile(file, join(host.root, 'root', basename(file)));
  return host.run(`dpkg --install --force-confold /root/${basename(file)} 2>&1`);
}

/** Settings of a sidecar on a host, and the authorities that it is to believe. */
export async function writeSettings(
  host: Host,
  world: World,
  settings: Readonly<Record<string, string>>,
  name = 'sidecar',
): Promise<void> {
  const etc = join(host.root, 'etc/signet');
  await writeFile(join(etc, 'broker-ca.pem'), await readFile(join(world.dir, 'root.pem')));
  await writeFile(join(etc, 'vault-ca.pem'), world.vault.caCert ?? '');
  const all = {
    SIGNET_TRUST_DOMAIN: 'example.org',
    SIGNET_BROKER_URL: world.brokerUrl,
    SIGNET_BROKER_CA: '/etc/signet/broker-ca.pem',
    SIGNET_ATTEST: 'ssh-host:%d/ssh_host_ed25519_key',
    VAULT_CACERT: '/etc/signet/vault-ca.pem',
    ...settings,
  };
  const lines = Object.entries(all).map(([key, value]) => `${key}='${value}'\n`);
  await writeFile(join(etc, `${name}.env`), lines.join(''));
}

/** The fingerprint of a public SSH key of a host, as ssh-keygen tells it. */
export async function fingerprintOf(host: Host, file = '/etc/ssh/ssh_host_ed25519_key.pub'): Promise<string> {
  return String((await host.run(`ssh-keygen -lf ${file}`)).split(' ')[1]);
}
