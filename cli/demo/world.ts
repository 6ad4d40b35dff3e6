import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../harness/port.ts';
import { type LoggingProcess, type LogLine, runProcess, startProcess } from '../../harness/processes.ts';
import { parseSshPrivateKey } from '../../lib/attestation/index.ts';
import { type DevVault, startDevVault } from './vault-server.ts';

const TRUST_DOMAIN = 'example.org';
const TENANT = 'acme/shop';
/** Long enough that a slow machine rotates in time, short enough that the demo need not wait for it. */
const SVID_TTL = '12s';
const LAYOUT = {
  trust_domain: TRUST_DOMAIN,
  svid_ttls: [SVID_TTL, '15m', '1h'],
  tenants: [{ name: TENANT, id_prefixes: ['ns/shop/'] }],
  broker: { dns: ['localhost'] },
};

const here = dirname(fileURLToPath(import.meta.url));
const ending = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

export type Service = {
  readonly name: string;
  readonly id: string;
  readonly hostKey: string;
  readonly app: LoggingProcess;
  readonly appPort: number;
  readonly sidecar: LoggingProcess;
  readonly firstSvid: LogLine;
  readonly inbound: string;
  readonly admin: string;
  readonly audit: string;
};

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
  /** The command line, as a user of the demo's Vault and broker would run it. */
  cli(
    args: readonly string[],
    env?: Readonly<Record<string, string>>,
  ): Promise<{ code: number | null; stdout: string; stderr: string }>;
};

/**
 * Builds the demo's world from nothing, and takes all of it down again if a step fails.
 * `told` is called as each step is done, with what a user would want to know of it.
 */
export async function createWorld(
  vaultBinary: string,
  told: (title: string, facts: string) => void,
): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'signet-demo-'));
  stack.defer(() => rm(dir, { recursive: true, force: true }));

  const vault = await startDevVault(vaultBinary);
  stack.use(vault.child);
  const base = { VAULT_ADDR: vault.address, SIGNET_TRUST_DOMAIN: TRUST_DOMAIN };
  const cli: World['cli'] = (args, env = {}) => runProcess({ args, env: { ...base, ...env } });
  const admin = { VAULT_TOKEN: vault.rootToken };

  const layoutFile = join(dir, 'layout.json');
  await writeFile(layoutFile, JSON.stringify(LAYOUT));
  await must(cli(['vault', 'apply', '--config', layoutFile], admin), 'vault apply');
  await enableVaultAudit(vault, join(dir, 'vault-audit.log'));
  const rootCa = join(dir, 'root-ca.pem');
  await writeFile(rootCa, await (await fetch(`${vault.address}/v1/signet-pki-root/ca/pem`)).text());
  told('CA ready', `root and issuing CA of ${TRUST_DOMAIN} in Vault at ${vault.address}`);

  const { broker, brokerUrl, brokerAdmin } = await startBroker(stack, cli, { dir, base, admin });
  const client = { SIGNET_BROKER_URL: brokerUrl, SIGNET_BROKER_CA: rootCa };
  const start = serviceStarter(stack, { dir, base: { ...base, ...client }, cli, vault });
  const orders = await start('orders', { inbound: true, outbound: false });
  const web = await start('web', {
    inbound: true,
    outbound: true,
    upstreams: `orders=${orders.inbound}#${orders.id}`,
  });
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
    cli: (args, env = {}) => cli(args, { ...client, ...env }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

type Place = { readonly dir: string; readonly base: Record<string, string>; readonly cli: World['cli'] };

async function startBroker(
  stack: AsyncDisposableStack,
  cli: World['cli'],
  { dir, base, admin }: Omit<Place, 'cli'> & { admin: Record<string, string> },
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

type Wanted = { readonly inbound: boolean; readonly outbound: boolean; readonly upstreams?: string };

function serviceStarter(stack: AsyncDisposableStack, { dir, base, cli, vault }: Place & { vault: DevVault }) {
  return async (name: string, wanted: Wanted): Promise<Service> => {
    const hostKey = join(dir, `${name}_host_key`);
    const { privateKey } = generateKeyPairSync('ed25519');
    await writeFile(hostKey, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    const id = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/${name}`;
    await register({ dir, base, cli }, vault, name, id, hostKey);

    const proxyPort = wanted.outbound ? await freePort() : 0;
    const app = await startProcess({
      script: join(here, `apps/${name}${ending}`),
      args: [],
      env: { ORDERS_PROXY: `127.0.0.1:${proxyPort}` },
    });
    stack.use(app);
    const appPort = Number((await app.waitForEvent('listening'))['port']);
    const audit = join(dir, `${name}-audit.jsonl`);
    const sidecar = await startProcess({
      args: ['sidecar'],
      env: {
        ...base,
        SIGNET_ATTEST: `ssh-host:${hostKey}`,
        SIGNET_INBOUND: `127.0.0.1:0->127.0.0.1:${appPort}`,
        SIGNET_POLICY_FILE: join(here, `policies/${name}.json`),
        SIGNET_AUDIT: audit,
        SIGNET_ADMIN: '127.0.0.1:0',
        ...(wanted.outbound
          ? { SIGNET_OUTBOUND: `127.0.0.1:${proxyPort}`, SIGNET_UPSTREAMS: wanted.upstreams ?? '' }
          : {}),
      },
    });
    stack.use(sidecar);
    const firstSvid = await sidecar.waitForEvent('svid');
    const [inbound, admin] = [await sidecar.addressOf('inbound'), await sidecar.addressOf('admin')];
    await sidecar.waitForEvent('ready');
    return { name, id, hostKey, app, appPort, sidecar, firstSvid, inbound, admin, audit };
  };
}

/** Registers a service the way a platform engineer does: with a token that reaches only the tenant's own entries. */
async function register(
  { dir, cli, base }: Place,
  vault: DevVault,
  name: string,
  id: string,
  hostKey: string,
): Promise<void> {
  const registrar = await vaultToken(vault, 'signet-registrar-acme.shop');
  const { fingerprint } = parseSshPrivateKey(await readFile(hostKey, 'utf8'));
  const file = join(dir, `${name}-entry.json`);
  const entry = {
    tenant: TENANT,
    name,
    match: { 'ssh-host:key': fingerprint },
    spiffe_id: id,
    ttl: SVID_TTL,
  };
  await writeFile(file, JSON.stringify(entry));
  await must(cli(['entry', 'create', '--file', file], { ...base, VAULT_TOKEN: registrar }), 'entry create');
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

/** A token of one policy, as an admin's log-in would give it. */
export async function vaultToken(vault: DevVault, policy: string): Promise<string> {
  const answer = await fetch(`${vault.address}/v1/auth/token/create`, {
    method: 'POST',
    headers: { 'X-Vault-Token': vault.rootToken },
    body: JSON.stringify({ policies: [policy], no_default_policy: true, ttl: '1h' }),
  });
  const { auth } = (await answer.json()) as { auth?: { client_token?: string } };
  if (auth?.client_token === undefined)
    throw new Error(`Vault gave no token for ${policy}: ${answer.status}`);
  return auth.client_token;
}

async function must(result: ReturnType<World['cli']>, what: string): Promise<string> {
  const { code, stdout, stderr } = await result;
  if (code !== 0) throw new Error(`signet ${what} ended with ${code}:\n${stderr || stdout}`);
  return stdout;
}
