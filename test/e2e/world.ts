import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { freePort } from '../../harness/port.ts';
import {
  type LoggingProcess,
  type ProcessOptions,
  runProcess,
  startProcess,
} from '../../harness/processes.ts';
import { parseSshPrivateKey } from '../../lib/attestation/index.ts';
import { aliasOf, tenantInName } from '../../lib/grant/index.ts';
import { parseSpiffeId } from '../../lib/spiffe/index.ts';
import { startVault, type TestVault, type VaultOptions } from '../support/vault.ts';

export const TENANT = 'acme/shop';
/** The lifetime for tests that rotate: short, and long enough for a slow machine to renew in its second half. */
export const SHORT_TTL = '8s';

type Match = Readonly<Record<string, string>>;

export type Registered = {
  readonly name: string;
  readonly id: string;
  /** The file of the host key that was made for it. */
  readonly hostKey: string;
};

/** A real Vault with Signet's layout, a broker process, and sidecars as a test starts them. */
export interface World extends AsyncDisposable {
  readonly dir: string;
  readonly vault: TestVault;
  readonly brokerUrl: string;
  /** The broker that runs now. */
  readonly broker: LoggingProcess;
  startBroker(
    env?: Readonly<Record<string, string>>,
    options?: Partial<ProcessOptions>,
  ): Promise<LoggingProcess>;
  /** Registers a service by a host key made for it, or by `match`. */
  register(name: string, options?: { readonly ttl?: string; readonly match?: Match }): Promise<Registered>;
  /** A call of the broker's API with the tenant's registrar token; gives the answer's body. @throws for any status from 400 on */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects to find, and fails when it is not there
  api(method: string, path: string, body?: unknown): Promise<any>;
  joinCode(name: string): Promise<string>;
  /** Disables or enables, as an operator does in Vault's UI. */
  setEntity(id: string, disabled: boolean): Promise<void>;
  /** The environment of a sidecar in agent mode. */
  environment(service: Registered): Record<string, string>;
  /** Starts a sidecar in agent mode, or in whatever mode `more` makes it. */
  sidecar(
    service: Registered,
    more?: Readonly<Record<string, string>>,
    options?: Partial<ProcessOptions>,
  ): Promise<LoggingProcess>;
}

/** With `host`, Vault and broker listen there, for other hosts to reach. */
export async function createWorld(options: VaultOptions = {}): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'signet-e2e-'));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const vault = stack.use(await startVault(options));
  const trusted = vault.caCert === undefined ? {} : { VAULT_CACERT: join(dir, 'vault.pem') };
  if (vault.caCert !== undefined) await writeFile(join(dir, 'vault.pem'), vault.caCert);
  const base = { SIGNET_TRUST_DOMAIN: 'example.org', VAULT_ADDR: vault.address, ...trusted };
  const secretFile = join(dir, 'secret-id');
  const roleId = await layOut(dir, { ...base, VAULT_TOKEN: vault.rootToken }, secretFile);

  const rootFile = join(dir, 'root.pem');
  const root = String((await vault.request('GET', 'signet-pki-root/ca/pem')).body);
  await writeFile(rootFile, root);
  await chmod(dir, 0o755);
  const registrar = await tokenOf(vault, `signet-registrar-${tenantInName(TENANT)}`);
  const operator = await tokenOf(vault, 'signet-operator');

  const brokerPort = await freePort();
  const brokerHost = options.host ?? '127.0.0.1';
  const brokerUrl = `https://${brokerHost}:${brokerPort}`;
  let broker: LoggingProcess;
  const startBroker: World['startBroker'] = async (env = {}, options = {}) => {
    broker = await startProcess({
      args: ['broker'],
      env: {
        ...base,
        SIGNET_LISTEN: `${brokerHost}:${brokerPort}`,
        SIGNET_BROKER_DNS: 'localhost',
        SIGNET_VAULT_ROLE_ID: roleId,
        SIGNET_VAULT_SECRET_ID_FILE: secretFile,
        ...env,
      },
      ...options,
    });
    await broker.addressOf('broker');
    return broker;
  };
  stack.defer(async () => void (await broker.stop()));
  await startBroker();

  const api: World['api'] = (method, path, body) => {
    const payload = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      'X-Vault-Token': registrar,
      'Content-Length': payload.length,
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    };
    const call = { method, headers, ca: root, agent: false, checkServerIdentity: () => undefined };
    return new Promise((resolve, reject) =>
      request(`${brokerUrl}${path}`, call, (response) => {
        void text(response).then((answer) => {
          if ((response.statusCode ?? 500) >= 400) reject(new Error(`${method} ${path}: ${answer}`));
          else resolve(answer === '' ? undefined : JSON.parse(answer));
        });
      })
        .on('error', reject)
        .end(payload),
    );
  };

  const owned = stack.move();
  const world: World = {
    dir,
    vault,
    brokerUrl,
    get broker() {
      return broker;
    },
    startBroker,
    api,
    async register(name, { ttl = '15m', match: given } = {}) {
      const id = `spiffe://example.org/ns/shop/sa/${name}`;
      const hostKey = join(dir, `${name}_host_key`);
      const { privateKey } = generateKeyPairSync('ed25519');
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      await writeFile(hostKey, pem, { mode: 0o600 });
      const match = given ?? { 'ssh-host:key': parseSshPrivateKey(pem).fingerprint };
      await api('POST', '/v1/entries', { tenant: TENANT, name, match, spiffe_id: id, ttl });
      return { name, id, hostKey };
    },
    async joinCode(name) {
      const path = `/v1/entries/${tenantInName(TENANT)}/${name}/join-code`;
      return (await api('POST', path, { ttl_seconds: 300 })).code;
    },
    async setEntity(id, disabled) {
      const as = { token: operator };
      const mounts = await vault.request('GET', 'sys/internal/ui/mounts', undefined, as);
      const alias = {
        alias_name: aliasOf(parseSpiffeId(id)),
        alias_mount_accessor: mounts.body.data.auth['token/'].accessor,
      };
      const found = await vault.request('POST', 'identity/lookup/entity', alias, as);
      const path = `identity/entity/id/${found.body.data.id}`;
      const { status, body } = await vault.request('POST', path, { disabled }, as);
      if (status >= 300) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
    },
    environment: ({ name, hostKey }) => ({
      SIGNET_TRUST_DOMAIN: 'example.org',
      SIGNET_BROKER_URL: brokerUrl,
      SIGNET_BROKER_CA: rootFile,
      SIGNET_ATTEST: `ssh-host:${hostKey}`,
      SIGNET_MODE: 'agent',
      ...trusted,
      SIGNET_AUDIT: join(dir, `${name}-audit.jsonl`),
    }),
    sidecar: async (service, more = {}, options = {}) =>
      owned.use(
        await startProcess({
          args: ['sidecar'],
          env: { ...world.environment(service), ...more },
          ...options,
        }),
      ),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
  return world;
}

/** Applies the layout and makes a broker's credential, by the command line as an admin would. Gives the role id. */
async function layOut(
  dir: string,
  env: Readonly<Record<string, string>>,
  secretFile: string,
): Promise<string> {
  const layout = join(dir, 'layout.json');
  await writeFile(
    layout,
    JSON.stringify({
      trust_domain: 'example.org',
      svid_ttls: [SHORT_TTL, '20s', '15m', '1h'],
      tenants: [{ name: TENANT, id_prefixes: ['ns/shop/'] }],
      broker: { dns: ['localhost'] },
    }),
  );
  const run = async (args: readonly string[]) => {
    const { code, stdout, stderr } = await runProcess({ args: ['vault', ...args], env });
    if (code !== 0) throw new Error(`signet vault ${args[0]}: ${stderr}`);
    return stdout;
  };
  await run(['apply', '--config', layout]);
  const told = await run(['broker-credential', '--out', secretFile]);
  return /^role_id (\S+)$/m.exec(told)?.[1] ?? '';
}

/** A token of one policy, as a log-in would give it. */
async function tokenOf(vault: TestVault, policy: string): Promise<string> {
  const { body } = await vault.request('POST', 'auth/token/create', {
    policies: [policy],
    no_default_policy: true,
    ttl: '1h',
  });
  return body.auth.client_token;
}
