import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog } from '../../../lib/adapter/log.ts';
import type { AttestSpec } from '../../../sidecar/config/values.ts';
import { type Acquire, createAcquire } from '../../../sidecar/identity/acquire.ts';
import { AcquireError } from '../../../sidecar/identity/acquire-error.ts';
import type { Svid } from '../../../sidecar/identity/credentials.ts';
import { createEvidence } from '../../../sidecar/identity/evidence.ts';
import type { Theft } from '../../../sidecar/identity/redeem.ts';
import {
  createServerClock,
  type MachineClock,
  machineClock,
} from '../../../sidecar/identity/server-clock.ts';
import { type HostileVault, startHostileVault } from '../../fakes/hostile-vault.ts';
import { type BrokerOptions, type ScriptedBroker, startScriptedBroker } from '../../fakes/scripted-broker.ts';

/** What the scripted broker grants. */
export const ID = 'spiffe://example.org/ns/shop/sa/orders';
export const never = new AbortController().signal;

/** Attempts to get an SVID, in this process, from a broker and a Vault that a test directs. */
export interface Attempts extends AsyncDisposable {
  readonly dir: string;
  readonly vault: HostileVault;
  readonly broker: ScriptedBroker;
  readonly thefts: readonly Theft[];
  /** The log. */
  readonly lines: readonly string[];
  /** By the host key in `dir`, unless told otherwise. */
  acquirer(spec?: AttestSpec, clock?: MachineClock): Acquire;
  restartBroker(options: Partial<BrokerOptions>): Promise<void>;
}

export async function createAttempts(): Promise<Attempts> {
  const dir = await mkdtemp(join(tmpdir(), 'signet-attempts-'));
  const { privateKey } = generateKeyPairSync('ed25519');
  await writeFile(join(dir, 'host_key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const vault = await startHostileVault();
  let broker = await startScriptedBroker({ vault });
  const thefts: Theft[] = [];
  const lines: string[] = [];
  return {
    dir,
    vault,
    get broker() {
      return broker;
    },
    thefts,
    lines,
    acquirer(spec = { method: 'ssh-host', keyFile: join(dir, 'host_key') }, clock = machineClock) {
      return createAcquire({
        broker: { trustDomain: 'example.org', url: broker.url, ca: broker.ca },
        vault: { address: null, namespace: null, ca: null },
        evidence: createEvidence(spec, { readStdin: () => assert.fail('nothing is on standard input') }),
        clock,
        serverClock: createServerClock(clock),
        log: createLog({ level: 'debug', write: (line) => void lines.push(line) }),
        onTheft: (theft) => void thefts.push(theft),
      });
    },
    async restartBroker(options) {
      await broker[Symbol.asyncDispose]();
      broker = await startScriptedBroker({ vault, ...options });
    },
    async [Symbol.asyncDispose]() {
      await broker[Symbol.asyncDispose]();
      await vault[Symbol.asyncDispose]();
      await rm(dir, { recursive: true });
    },
  };
}

/** Makes one attempt, which has to fail. */
export async function failure(acquire: Acquire, current: Svid | null = null): Promise<AcquireError> {
  const error = await acquire(current, never).then(
    () => assert.fail('an SVID was given'),
    (error: unknown) => error,
  );
  assert.ok(error instanceof AcquireError, String(error));
  return error;
}
