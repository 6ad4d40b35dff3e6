import { generateKeyPairSync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../harness/port.ts';
import { type LoggingProcess, type LogLine, startProcess } from '../../harness/processes.ts';
import { parseSshPrivateKey } from '../../lib/attestation/index.ts';
import { type Cli, must } from './command.ts';
import { SVID_TTL, TENANT, TRUST_DOMAIN } from './layout.ts';
import { type DevVault, vaultToken } from './vault-server.ts';

/** An app and its sidecar, each a process. */
export type Service = {
  readonly name: string;
  readonly id: string;
  readonly hostKey: string;
  readonly app: LoggingProcess;
  readonly appPort: number;
  /** The app's ports of other protocols, by what is served there. */
  readonly tcpPorts: Readonly<Record<string, number>>;
  readonly sidecar: LoggingProcess;
  readonly firstSvid: LogLine;
  readonly inbound: string;
  /** Null: it calls nobody. */
  readonly outbound: string | null;
  readonly admin: string;
  readonly audit: string;
  readonly policies: string;
};

export type Place = {
  readonly dir: string;
  readonly base: Readonly<Record<string, string>>;
  readonly cli: Cli;
  readonly vault: DevVault;
  /** Makes these policies, and those given before, all that there are. */
  readonly publish: (file: string) => Promise<void>;
  /** Of end users whose tokens are believed. */
  readonly usersFile: string;
  readonly collector: string | null;
};

const here = dirname(fileURLToPath(import.meta.url));
const ending = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

/** Starts services that may call `upstream`, if it is given: by HTTP, and at local ports by its other protocols. */
export function serviceStarter(stack: AsyncDisposableStack, place: Place) {
  const { dir, base } = place;
  return async (name: string, upstream?: Service): Promise<Service> => {
    const hostKey = join(dir, `${name}_host_key`);
    const { privateKey } = generateKeyPairSync('ed25519');
    await writeFile(hostKey, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    const id = `spiffe://${TRUST_DOMAIN}/ns/shop/sa/${name}`;
    const [, outbound] = await Promise.all([
      register(place, name, id, hostKey),
      upstream === undefined ? null : wayTo(upstream),
    ]);

    const app = await startProcess({
      script: join(here, `apps/${name}${ending}`),
      args: [],
      env: outbound?.app ?? {},
    });
    stack.use(app);
    const listening = await app.waitForEvent('listening');
    const appPort = Number(listening['port']);
    const tcpPorts = (listening['tcp'] ?? {}) as Record<string, number>;
    const audit = join(dir, `${name}-audit.jsonl`);
    const policies = await policyFile(dir, name, tcpPorts);
    await place.publish(policies);
    const sidecar = await startProcess({
      args: ['sidecar'],
      env: {
        ...base,
        SIGNET_ATTEST: `ssh-host:${hostKey}`,
        SIGNET_INBOUND: inboundOf(appPort, listening['h2c'] === true, Object.values(tcpPorts)),
        SIGNET_USERS: place.usersFile,
        ...(place.collector === null ? {} : { SIGNET_OTLP: place.collector }),
        SIGNET_TRACING: '0',
        SIGNET_AUDIT: audit,
        SIGNET_ADMIN: '127.0.0.1:0',
        ...outbound?.sidecar,
      },
    });
    stack.use(sidecar);
    const firstSvid = await sidecar.waitForEvent('svid');
    const [inbound, admin] = [await sidecar.addressOf('inbound'), await sidecar.addressOf('admin')];
    await sidecar.waitForEvent('ready');
    return {
      ...{ name, id, hostKey, app, appPort, tcpPorts, sidecar, firstSvid },
      ...{ inbound, outbound: outbound?.address ?? null, admin, audit, policies },
    };
  };
}

/** What app and sidecar are told of each other when the app calls `upstream`: free ports, the same for both. */
async function wayTo({ name, id, inbound, sidecar, tcpPorts }: Service) {
  const address = `127.0.0.1:${await freePort()}`;
  const app: Record<string, string> = { ORDERS_PROXY: address };
  const upstreams = [`${name}=${inbound}#${id}`];
  const raw = sidecar.logs().filter((line) => line['what'] === 'inbound' && line['protocol'] === 'tcp');
  for (const [i, what] of Object.keys(tcpPorts).entries()) {
    const local = `127.0.0.1:${await freePort()}`;
    app[what.toUpperCase()] = local;
    upstreams.push(`${what}@tcp:${local}=${raw[i]?.['address']}#${id}`);
  }
  return {
    address,
    app,
    sidecar: { SIGNET_OUTBOUND: address, SIGNET_UPSTREAMS: upstreams.join(' ') },
  };
}

/** The sidecar listens in the order that is given here. */
function inboundOf(port: number, h2c: boolean, tcp: readonly number[]): string {
  const http = `127.0.0.1:0->${h2c ? 'h2c://' : ''}127.0.0.1:${port}`;
  return [http, ...tcp.map((each) => `tcp:127.0.0.1:0->127.0.0.1:${each}`)].join(' ');
}

/** The service's policies, in which `/tcp/{stock}` is the path of the port that the kernel chose for `stock`. */
async function policyFile(
  dir: string,
  name: string,
  tcpPorts: Readonly<Record<string, number>>,
): Promise<string> {
  const file = join(dir, `${name}-policy.json`);
  const text = await readFile(join(here, `policies/${name}.json`), 'utf8');
  await writeFile(
    file,
    text.replace(/\/tcp\/\{([a-z]+)\}/g, (_, what: string) => `/tcp/${tcpPorts[what]}`),
  );
  return file;
}

/** Registers a service the way a platform engineer does: with a token that reaches only the tenant's own entries. */
async function register(
  { dir, cli, base, vault }: Place,
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
