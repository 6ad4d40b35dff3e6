import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { type Child, startChild } from '../../harness/child.ts';
import { freePort } from '../../harness/port.ts';

export type DevVault = { readonly child: Child; readonly address: string; readonly rootToken: string };

/** A real Vault in dev mode, in memory, on a free loopback port; gone with all it held when the child stops. */
export async function startDevVault(binary: string): Promise<DevVault> {
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const rootToken = randomUUID();
  const child = await startChild(
    binary,
    [
      'server',
      '-dev',
      '-dev-no-store-token',
      `-dev-root-token-id=${rootToken}`,
      `-dev-listen-address=127.0.0.1:${port}`,
    ],
    { env: { HOME: '/nonexistent', VAULT_DISABLE_MLOCK: 'true' } },
  );
  for (let tries = 0; tries < 200; tries++) {
    const healthy = await fetch(`${address}/v1/sys/health`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (healthy) return { child, address, rootToken };
    await wait(50);
  }
  await child.stop();
  throw new Error(`Vault did not answer on ${address} within 10 s`);
}
