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
