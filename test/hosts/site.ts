import assert from 'node:assert/strict';
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

const APP = `
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Orders(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        self.rfile.read(int(self.headers.get('Content-Length') or 0))
        self.send_response(200)
        self.send_header('Content-Length', '7')
        self.end_headers()
        self.wfile.write(b'ordered')
    do_POST = do_GET
    def log_message(self, *words): pass
class Server(ThreadingHTTPServer):
    request_queue_size = 128
Server(('127.0.0.1', 8080), Orders).serve_forever()
`;
const UNIT = '[Service]\nExecStart=/usr/bin/python3 /root/app.py\n[Install]\nWantedBy=multi-user.target\n';
/** What is the system's own: logs, caches, and what systemd keeps of its runs. */
const SYSTEMS_OWN =
  /^\/(opt$|proc|sys|dev|run|tmp|root|var\/(log|tmp|cache|lib\/(dpkg|systemd|private)))(\/|$)/;

// biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects to find, and fails when it is not there
export async function statusOf(host: Host, folder = 'signet-sidecar'): Promise<any> {
  return JSON.parse(
    await host.run(`curl -sS --fail --unix-socket /run/${folder}/admin.sock http://sidecar/status`),
  );
}

/** Every path but those that are the system's own. */
export async function files(host: Host): Promise<string[]> {
  await host.run('find / -xdev > /root/paths');
  const all = (await readFile(join(host.root, 'root/paths'), 'utf8')).split('\n');
  return all.filter((path) => path !== '' && !SYSTEMS_OWN.test(path)).sort();
}

/** An app that answers `ordered`, whatever it is asked, also after a reboot. */
export async function serveOrders(host: Host): Promise<void> {
  await writeFile(join(host.root, 'root/app.py'), APP);
  await writeFile(join(host.root, 'etc/systemd/system/app.service'), UNIT);
  await host.run('systemctl daemon-reload; systemctl enable --quiet --now app.service');
}

export function allow(target: string, caller: string): object {
  const when = { caller: { is: caller } };
  return { name: 'caller', level: 'application', target, effect: 'allow', mode: 'enforce', when };
}

export async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end; await new Promise((go) => setTimeout(go, 100)))
    if (await holds()) return;
  assert.fail('it did not come about in a minute');
}
