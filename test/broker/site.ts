import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { type LoggingProcess, startProcess } from '../../harness/processes.ts';
import { createVault, withToken } from '../../lib/adapter/vault.ts';
import { Secret } from '../../lib/secret.ts';
import { applyLayout, parseLayout } from '../../lib/vault-layout/index.ts';
import {
  type AttestClient,
  attestClient,
  type ClientOptions,
  type Inspect,
  type Reply,
} from '../support/attest-client.ts';
import { startVault, type TestVault, type VaultOptions } from '../support/vault.ts';

const TRUST_DOMAIN = 'example.org';
const LAYOUT = {
  trust_domain: TRUST_DOMAIN,
  svid_ttls: ['3s', '15m', '1h'],
  tenants: [
    { name: 'acme/shop', id_prefixes: ['ns/shop/'] },
    { name: 'globex', id_prefixes: ['ns/globex/'] },
  ],
  broker: { dns: ['localhost'] },
};

/** A real Vault with the layout on it, and what it takes to run brokers beside it. */
export interface Site extends AsyncDisposable {
  readonly vault: TestVault;
  readonly dir: string;
  /** The root, PEM: what clients pin. */
  readonly ca: string;
  /** A token of a tenant's registrar. */
  readonly registrar: { readonly shop: string; readonly globex: string };
  tokenOf(...policies: string[]): Promise<string>;
  /** Starts a broker, with `env` over what it needs to run here, and waits for nothing. */
  launchBroker(env?: Readonly<Record<string, string>>): Promise<LoggingProcess>;
  /** Starts a broker and waits until it can give grants. */
  startBroker(env?: Readonly<Record<string, string>>): Promise<TestBroker>;
}

export interface TestBroker extends LoggingProcess {
  readonly address: string;
  readonly admin: string;
  /** A connection of its own; every answer on it is held against the OpenAPI document. */
  connect(options?: Partial<ClientOptions>): Promise<AttestClient>;
  /** One request on a connection of its own. */
  call(method: string, path: string, body?: unknown, token?: string): Promise<Reply>;
  /** A metric's value; with labels as they are printed. */
  metric(name: string): Promise<number>;
  /** Status and body of `/readyz` on the admin listener. */
  ready(): Promise<{ readonly status: number; readonly waiting: readonly string[] }>;
}

export async function openSite(options: VaultOptions = {}): Promise<Site> {
  const vault = await startVault(options);
  const dir = await mkdtemp(join(tmpdir(), 'signet-site-'));
  await applyTo(vault);
  const role = 'auth/signet-approle/role/broker';
  const roleId = (await vault.request('GET', `${role}/role-id`)).body.data.role_id;
  const secretId = (await vault.request('POST', `${role}/secret-id`, {})).body.data.secret_id;
  const secretFile = join(dir, 'secret-id');
  await writeFile(secretFile, `${secretId}\n`);
  await chmod(secretFile, 0o600);
  const ca = String((await vault.request('GET', 'signet-pki-root/ca/pem')).body);
  const caFile = join(dir, 'vault-ca.pem');
  if (vault.caCert !== undefined) await writeFile(caFile, vault.caCert);
  const tokenOf = async (...policies: string[]) => {
    const made = await vault.request('POST', 'auth/token/create', {
      policies,
      no_parent: true,
      no_default_policy: true,
    });
    return String(made.body.auth.client_token);
  };
  const started: LoggingProcess[] = [];

  const brokerEnv = {
    SIGNET_TRUST_DOMAIN: TRUST_DOMAIN,
    VAULT_ADDR: vault.address,
    ...(vault.caCert === undefined ? {} : { VAULT_CACERT: caFile }),
    SIGNET_VAULT_ROLE_ID: roleId,
    SIGNET_VAULT_SECRET_ID_FILE: secretFile,
    SIGNET_LISTEN: '127.0.0.1:0',
    SIGNET_BROKER_DNS: 'localhost,127.0.0.1',
  };
  const site: Site = {
    vault,
    dir,
    ca,
    registrar: {
      shop: await tokenOf('signet-registrar-acme.shop'),
      globex: await tokenOf('signet-registrar-globex'),
    },
    tokenOf,
    async launchBroker(env = {}) {
      const process = await startProcess({ args: ['broker'], env: { ...brokerEnv, ...env } });
      started.push(process);
      return process;
    },
    async startBroker(env = {}) {
      const broker = await brokerOf(await site.launchBroker(env), ca);
      await until(async () => (await broker.ready()).status === 200);
      return broker;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(started.map((process) => process.stop(2_000)));
      await vault.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
  return site;
}

async function applyTo(vault: TestVault): Promise<void> {
  using client = createVault({
    address: vault.address,
    ...(vault.caCert === undefined ? {} : { caCert: vault.caCert }),
  });
  await applyLayout(withToken(client, new Secret(vault.rootToken)), parseLayout(LAYOUT));
}

/** A broker's process as a test speaks to it; its listener must be up. */
export async function brokerOf(process: LoggingProcess, ca: string): Promise<TestBroker> {
  const [address, admin] = [await process.addressOf('broker'), await process.addressOf('admin')];
  let inspect: Inspect | undefined;
  const connect = async (options: Partial<ClientOptions> = {}) => {
    inspect ??= await inspectorOf(address, ca);
    return await attestClient({ address, ca, inspect, ...options });
  };
  return {
    ...process,
    address,
    admin,
    connect,
    async call(method, path, body, token) {
      using client = await connect();
      return await client.send(method, path, body, token === undefined ? {} : { 'x-vault-token': token });
    },
    async metric(name) {
      const text = await (await fetch(`http://${admin}/metrics`)).text();
      const line = text.split('\n').find((each) => each.startsWith(`${name} `));
      return line === undefined ? 0 : Number(line.slice(name.length + 1));
    },
    async ready() {
      const answer = await fetch(`http://${admin}/readyz`);
      const body = (await answer.json()) as { waiting_for: string[] };
      return { status: answer.status, waiting: body.waiting_for };
    },
  };
}

/** Holds answers against the document that the broker itself serves. */
async function inspectorOf(address: string, ca: string): Promise<Inspect> {
  using client = await attestClient({ address, ca });
  const document = (await client.send('GET', '/openapi.json')).body;
  const ajv = new Ajv2020({ strict: false, formats: { 'date-time': /^\d{4}-\d\d-\d\dT[\d:.]+Z$/ } });
  ajv.addSchema(document, 'openapi');
  const templates = Object.keys(document.paths).map((path) => ({
    path,
    matches: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  }));
  return (method, path, { status, headers, body }) => {
    const bare = path.split('?')[0] ?? '';
    const known = templates.find(({ matches }) => matches.test(bare))?.path ?? '';
    const answer = document.paths[known]?.[method.toLowerCase()]?.responses[status];
    const type = String(headers['content-type'] ?? '').split(';')[0] ?? '';
    const where = `${method} ${path}: ${status}`;
    if (answer === undefined) {
      // What is nowhere in the document is answered by the two problems that say so.
      const nowhere =
        type === 'application/problem+json' &&
        ['no_route', 'method_not_allowed', 'malformed'].includes(body?.code);
      if (!nowhere) throw new Error(`${where} is not in the OpenAPI document: ${JSON.stringify(body)}`);
      return;
    }
    const schema = answer.content?.[type]?.schema?.$ref;
    if (schema === undefined) {
      if (body !== undefined || answer.content !== undefined)
        throw new Error(`${where} has a body of type ${type}`);
      return;
    }
    const check = ajv.getSchema(`openapi${schema}`);
    if (check?.(body) !== true)
      throw new Error(
        `${where} breaks ${schema}: ${JSON.stringify(check?.errors)} in ${JSON.stringify(body)}`,
      );
    if (type === 'application/problem+json' && body.status !== status)
      throw new Error(`${where} says status ${body.status}`);
  };
}

/** Asks again until it is so. */
export async function until(so: () => boolean | Promise<boolean>, patienceMs = 15_000): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!(await so())) {
    if (performance.now() > end) throw new Error(`not so within ${patienceMs} ms: ${so}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** An entry of acme/shop for one host key. */
export function hostEntry(name: string, match: Readonly<Record<string, string>>, more: object = {}): object {
  return {
    tenant: 'acme/shop',
    name,
    match,
    spiffe_id: `spiffe://${TRUST_DOMAIN}/ns/shop/sa/${name}`,
    ttl: '15m',
    ...more,
  };
}

/** An entry of acme/shop for join codes. */
export function joinEntry(name: string, more: object = {}): object {
  return hostEntry(name, { 'join:entry': `acme/shop/${name}` }, more);
}

/** Raises the counter as whoever writes past the broker should, without saying what was written. */
export async function touchRevision({ vault }: Site): Promise<void> {
  const { data, metadata } = (await vault.request('GET', 'signet/data/revision')).body.data;
  await vault.request('POST', 'signet/data/revision', {
    data: { revision: data.revision + 1 },
    options: { cas: metadata.version },
  });
}

/** Writes the deny-list as an operator does. */
export async function writeDenylist(site: Site, list: object): Promise<void> {
  const { metadata } = (await site.vault.request('GET', 'signet/data/denylist')).body.data;
  await site.vault.request('POST', 'signet/data/denylist', {
    data: list,
    options: { cas: metadata.version },
  });
  await touchRevision(site);
}
