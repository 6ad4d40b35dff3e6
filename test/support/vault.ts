import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Child, startChild } from '../../harness/child.ts';
import { freePort } from '../../harness/port.ts';
import { vaultBinary } from '../../setup/vault.mjs';
import { createCa } from './ca.ts';
import { type VaultRequest, vaultRequester } from './vault-request.ts';

export type { VaultAnswer, VaultRequest } from './vault-request.ts';

export interface VaultOptions {
  /** `inmem` (the default) forgets everything when it stops; `raft` keeps its data on disk and can be restarted. */
  readonly storage?: 'inmem' | 'raft';
  /** HTTPS with a certificate made for this Vault, which is its own CA: `caCert`. */
  readonly tls?: boolean;
  readonly port?: number;
  /** The IP address at which it listens, for pods to reach it; 127.0.0.1 of itself. */
  readonly host?: string;
  /** Programs that it may run as plugins. */
  readonly pluginFolder?: string;
  /** Folder for its configuration and data. It is kept; without it a temporary one is made, and removed by `stop()`. */
  readonly dir?: string;
}

/** A real Vault, unsealed, on a loopback port. Stop it, or it lives until the test process ends. */
export interface TestVault extends AsyncDisposable {
  readonly address: string;
  readonly rootToken: string;
  /** Changes with every `restart()`. */
  readonly pid: number;
  /** PEM; only with `tls`. */
  readonly caCert?: string;
  /** One call of Vault's HTTP API, as root unless told otherwise. Gives back every HTTP status; throws only where there is no answer. */
  readonly request: VaultRequest;
  /** Vault's own log so far. */
  output(): string;
  /** SIGTERM, and wait until it has ended. */
  stop(): Promise<void>;
  /** SIGKILL, and wait until it has ended. */
  kill(): Promise<void>;
  /** Starts it again, stopping it first if it runs, with the same address and data, and unseals it. Raft only. */
  restart(): Promise<void>;
  seal(): Promise<void>;
  unseal(): Promise<void>;
}

/** Starts a Vault and waits until it serves. */
export async function startVault(options: VaultOptions = {}): Promise<TestVault> {
  const { storage = 'inmem', tls = false, port = await freePort(), host = '127.0.0.1' } = options;
  const address = `${tls ? 'https' : 'http'}://${host}:${port}`;
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'signet-vault-')));
  const caCert = await writeConfiguration(dir, { ...options, storage, tls }, address);
  const send = vaultRequester(address, caCert);
  const args = ['server', '-config', join(dir, 'vault.json')];
  const launch = () => startChild(vaultBinary(), args, { cwd: dir, env: environment() });

  let child = await launch();
  let rootToken = '';
  let unsealKey = '';

  const request: VaultRequest = (method, path, body, extra) =>
    send(method, path, body, { token: rootToken, ...extra });
  const unseal = async () => {
    await demand(request, 'sys/unseal', { key: unsealKey });
    await untilHealth(200, send, child);
  };
  const stop = async () => {
    await child.stop();
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
  };

  try {
    await untilHealth(501, send, child);
    const made = await demand(request, 'sys/init', { secret_shares: 1, secret_threshold: 1 });
    rootToken = made.root_token;
    unsealKey = made.keys[0];
    await unseal();
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    address,
    rootToken,
    get pid() {
      return child.pid;
    },
    ...(caCert === undefined ? {} : { caCert }),
    request,
    output: () => child.stdout() + child.stderr(),
    stop,
    kill: async () => void (await child.kill()),
    restart: async () => {
      if (storage !== 'raft') throw new Error('only a Vault on raft keeps its data over a restart');
      await child.stop();
      child = await launch();
      await untilHealth(503, send, child);
      await unseal();
    },
    seal: async () => void (await demand(request, 'sys/seal')),
    unseal,
    [Symbol.asyncDispose]: stop,
  };
}

/** Writes Vault's configuration, and gives back the CA that its clients need. */
async function writeConfiguration(
  dir: string,
  { storage, tls, pluginFolder }: VaultOptions,
  address: string,
) {
  const data = join(dir, 'data');
  if (storage === 'raft') await mkdir(data, { recursive: true });
  const certified = tls ? await writeCertificate(dir, new URL(address).hostname) : undefined;
  const configuration = {
    storage:
      storage === 'raft'
        ? { raft: { path: data, node_id: 'one', performance_multiplier: 1 } }
        : { inmem: {} },
    listener: {
      tcp: {
        address: new URL(address).host,
        cluster_address: '127.0.0.1:0',
        ...(certified?.listener ?? { tls_disable: true }),
      },
    },
    api_addr: address,
    cluster_addr: 'https://127.0.0.1:0',
    disable_mlock: true,
    ui: true,
    ...(pluginFolder === undefined ? {} : { plugin_directory: pluginFolder }),
  };
  await writeFile(join(dir, 'vault.json'), JSON.stringify(configuration));
  return certified?.caCert;
}

async function writeCertificate(dir: string, host: string) {
  const ca = await createCa('vault.test');
  const { pem, privateKeyPem } = await ca.leaf('', {
    subject: 'CN=vault.test',
    sans: [
      { type: 'ip', value: host },
      { type: 'dns', value: 'localhost' },
    ],
  });
  const listener = { tls_cert_file: join(dir, 'tls.crt'), tls_key_file: join(dir, 'tls.key') };
  await writeFile(listener.tls_cert_file, pem);
  await writeFile(listener.tls_key_file, privateKeyPem, { mode: 0o600 });
  return { listener, caCert: ca.pem };
}

/** Ours without `VAULT_*`, which Vault would take over its configuration. */
function environment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VAULT_')));
}

/** @throws with Vault's answer when it refuses */
async function demand(request: VaultRequest, path: string, body?: unknown) {
  const answer = await request('PUT', path, body);
  if (answer.status >= 400)
    throw new Error(`Vault refused ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** Waits until `sys/health` answers with that status: 200 serves, 501 not initialised, 503 sealed. */
async function untilHealth(status: number, send: VaultRequest, child: Child) {
  const deadline = Date.now() + 30_000;
  let ended = false;
  void child.ended.then(() => {
    ended = true;
  });
  while (Date.now() < deadline && !ended) {
    const answer = await send('GET', 'sys/health').catch(() => undefined);
    if (answer?.status === status) return;
    await sleep(20);
  }
  throw new Error(
    `Vault ${ended ? 'ended' : 'was not ready in 30 s'}; its output:\n${child.stdout()}${child.stderr()}`,
  );
}
