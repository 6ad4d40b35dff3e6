import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LoggingProcess, type ProcessOptions, startProcess } from '../../../harness/processes.ts';
import { type HostileVault, startHostileVault } from '../../fakes/hostile-vault.ts';
import { type ScriptedBroker, startScriptedBroker } from '../../fakes/scripted-broker.ts';

/** A sidecar process between a broker and a Vault that a test directs, with its files in a folder of their own. */
export interface Stage extends AsyncDisposable {
  readonly dir: string;
  readonly vault: HostileVault;
  readonly broker: ScriptedBroker;
  /** What a sidecar in agent mode needs. */
  readonly environment: Readonly<Record<string, string>>;
  /** Starts a sidecar with that environment and `more`; an empty text takes a variable away. */
  sidecar(
    more?: Readonly<Record<string, string>>,
    options?: Partial<ProcessOptions>,
  ): Promise<LoggingProcess>;
}

export async function createStage(): Promise<Stage> {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'signet-stage-'));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const vault = stack.use(await startHostileVault());
  const broker = stack.use(await startScriptedBroker({ vault }));
  const { privateKey } = generateKeyPairSync('ed25519');
  const hostKey = privateKey.export({ type: 'pkcs8', format: 'pem' });
  await Promise.all([
    writeFile(join(dir, 'host_key'), hostKey, { mode: 0o600 }),
    writeFile(join(dir, 'ca.pem'), broker.ca),
  ]);
  const environment = {
    SIGNET_TRUST_DOMAIN: 'example.org',
    SIGNET_BROKER_URL: broker.url.origin,
    SIGNET_BROKER_CA: join(dir, 'ca.pem'),
    SIGNET_ATTEST: `ssh-host:${join(dir, 'host_key')}`,
    SIGNET_MODE: 'agent',
    SIGNET_AUDIT: join(dir, 'audit.jsonl'),
  };
  const owned = stack.move();
  return {
    dir,
    vault,
    broker,
    environment,
    sidecar: async (more = {}, options = {}) =>
      owned.use(await startProcess({ args: ['sidecar'], env: { ...environment, ...more }, ...options })),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
