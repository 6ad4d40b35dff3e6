import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { LoggingProcess } from '../../../harness/processes.ts';
import { aliasOf } from '../../../lib/grant/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import type { Service } from '../service.ts';
import { startTraffic } from '../traffic.ts';
import { vaultToken } from '../vault-server.ts';
import type { World } from '../world.ts';
import { expect, type Shown } from './shown.ts';

/** A thief who reads a grant on its way unwraps it first; its owner then finds it spent and raises the alarm. */
export async function theft(world: World): Promise<Shown<boolean>> {
  const evidence = ['--attest', `ssh-host:${world.web.hostKey}`];
  const asked = await world.cli(['grant', 'request', ...evidence, '--json']);
  expect(asked.code === 0, 'a grant', asked);
  const grantFile = join(world.dir, 'stolen-grant.json');
  await writeFile(grantFile, asked.stdout, { mode: 0o600 });
  const unwrapped = await fetch(`${world.vault.address}/v1/sys/wrapping/unwrap`, {
    method: 'POST',
    headers: { 'X-Vault-Token': JSON.parse(asked.stdout).grant.wrapping_token },
  });
  expect(unwrapped.ok, 'the thief to get the token', { status: unwrapped.status });
  const owner = await world.cli(['grant', 'redeem', '--file', grantFile, '--json']);
  expect(owner.code === 1 && owner.stderr.includes('GRANT_STOLEN'), 'the owner to notice', owner);
  const alarm = await world.broker.waitForEvent('theft_alarm', undefined, 5_000);
  return {
    title: 'theft alarm',
    facts: `a grant unwrapped by a thief first: its owner is refused (GRANT_STOLEN), the broker raises ${alarm.event}`,
    found: true,
  };
}

/** Both sidecars rotate at least twice while requests run without a pause. */
export async function rotation(
  world: World,
): Promise<Shown<{ rotations: number; failed: number; requests: number }>> {
  const traffic = startTraffic(world.web.appPort, '/orders/7', 8);
  const marks = [world.orders, world.web].map(({ sidecar }) => ({ sidecar, from: sidecar.logs().length }));
  await Promise.all(
    marks.map(async ({ sidecar, from }) => {
      await until(() => svids(sidecar, from) >= 2, 30_000);
    }),
  );
  const { requests, failures } = await traffic.stop();
  const rotations = marks.reduce((sum, { sidecar, from }) => sum + svids(sidecar, from), 0);
  expect(failures.length === 0 && requests > 100, 'no request to fail during rotation', {
    requests,
    failures: failures.slice(0, 5),
  });
  return {
    title: 'rotation',
    facts: `${rotations} rotations under ${requests} requests: 0 failed`,
    found: { rotations, failed: failures.length, requests },
  };
}

/** The kill switch: one click in the Vault UI, here made with an operator's token. */
export async function killSwitch(world: World): Promise<Shown<string>> {
  const token = await vaultToken(world.vault, 'signet-operator');
  const entity = await disableEntity(world, token, world.web, true);
  const refused = await world.web.sidecar.nextEvent('renewal_failed', 30_000);
  await disableEntity(world, token, world.web, false);
  return {
    title: 'kill switch',
    facts: `an operator disables web's entity ${entity}: its next renewal is refused (${refused['reason'] ?? refused['code']}); enabled again`,
    found: String(refused['reason'] ?? refused['code']),
  };
}

async function disableEntity(
  world: World,
  token: string,
  service: Service,
  disabled: boolean,
): Promise<string> {
  const call = async (path: string, body: object) => {
    const answer = await fetch(`${world.vault.address}/v1/${path}`, {
      method: 'POST',
      headers: { 'X-Vault-Token': token },
      body: JSON.stringify(body),
    });
    expect(answer.ok, `the operator's POST ${path}`, { status: answer.status });
    return answer.status === 204 ? {} : ((await answer.json()) as { data?: Record<string, string> });
  };
  const mounts = await fetch(`${world.vault.address}/v1/sys/internal/ui/mounts`, {
    headers: { 'X-Vault-Token': token },
  });
  const { data } = (await mounts.json()) as { data: { auth: Record<string, { accessor?: string }> } };
  const found = await call('identity/lookup/entity', {
    alias_name: aliasOf(parseSpiffeId(service.id)),
    alias_mount_accessor: data.auth['token/']?.accessor,
  });
  const id = found.data?.['id'] ?? '';
  await call(`identity/entity/id/${id}`, { disabled });
  return id;
}

function svids(sidecar: LoggingProcess, from: number): number {
  return sidecar
    .logs()
    .slice(from)
    .filter((event) => event.event === 'svid').length;
}

async function until(done: () => boolean, timeoutMs: number): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!done()) {
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms`);
    await wait(50);
  }
}
