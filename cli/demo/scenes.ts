import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { connect } from 'node:tls';
import type { LoggingProcess } from '../../harness/processes.ts';
import { aliasOf } from '../../lib/grant/index.ts';
import { parseSpiffeId } from '../../lib/spiffe/index.ts';
import { startTraffic } from './traffic.ts';
import { type Service, vaultToken, type World } from './world.ts';

/** What a scene showed. A scene that did not see what it promises throws. */
export type Shown<T> = { readonly title: string; readonly facts: string; readonly found: T };

export async function allowed(world: World): Promise<Shown<number>> {
  const answer = await ask(world.web, 'GET', '/orders/42');
  expect(answer.status === 200, 'the allowed request', answer);
  expect(answer.body.includes(world.web.id), "the caller's ID at the app", answer);
  return { title: 'allowed', facts: `GET /orders/42 by web: 200 ${answer.body}`, found: 1 };
}

export async function denied(world: World): Promise<Shown<number>> {
  const byRule = await ask(world.web, 'DELETE', '/orders/42');
  const problem = JSON.parse(byRule.body);
  expect(byRule.status === 403 && problem.rule === 'orders-never-deleted', 'the denied request', byRule);
  const byNone = await ask(world.web, 'GET', '/admin');
  expect(byNone.status === 403, 'the request that no rule allows', byNone);
  return {
    title: 'denied',
    facts: `DELETE /orders/42 by web: 403, rule ${problem.rule}: ${problem.detail}`,
    found: 2,
  };
}

export async function strangerRefused(world: World): Promise<Shown<string>> {
  const outcome = await withoutCertificate(world.orders.inbound);
  expect(outcome.startsWith('ERR_SSL') || outcome === 'ECONNRESET', 'a caller with no certificate', {
    outcome,
  });
  return {
    title: 'no certificate',
    facts: `a caller with no client certificate is refused in the handshake: ${outcome}`,
    found: outcome,
  };
}

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

export async function audit(
  world: World,
): Promise<Shown<{ records: number; verified: boolean; tamper_found: boolean }>> {
  const bundle = join(world.dir, 'bundle.json');
  const fetched = await world.cli(['bundle', 'fetch', '--out', bundle]);
  expect(fetched.code === 0, 'the bundle', fetched);
  const copy = join(world.dir, 'orders-audit-copy.jsonl');
  await copyFile(world.orders.audit, copy);
  const good = await world.cli(['audit', 'verify', copy, '--bundle', bundle, '--json']);
  expect(good.code === 0, 'the audit to verify', good);
  const { records } = JSON.parse(good.stdout) as { records: number };
  const bytes = await readFile(copy);
  const at = bytes.indexOf('/orders/42');
  expect(at > 0, 'the request in the audit', { at });
  bytes[at + '/orders/4'.length] = '3'.charCodeAt(0);
  await writeFile(copy, bytes);
  const bad = await world.cli(['audit', 'verify', copy, '--bundle', bundle, '--json']);
  expect(bad.code === 1, 'the changed byte to be found', bad);
  const [finding] = (JSON.parse(bad.stdout) as { findings: { line: number; message: string }[] }).findings;
  if (finding === undefined) throw new Error('the verifier names no line');
  return {
    title: 'audit',
    facts: `${records} records verified; in a copy with one byte changed, ${finding.message} (line ${finding.line})`,
    found: { records, verified: true, tamper_found: true },
  };
}

type Answer = { readonly status: number; readonly body: string };

async function ask(service: Service, method: string, path: string): Promise<Answer> {
  const answer = await fetch(`http://127.0.0.1:${service.appPort}${path}`, { method });
  return { status: answer.status, body: await answer.text() };
}

function withoutCertificate(address: string): Promise<string> {
  const [host = '', port = ''] = address.split(':');
  return new Promise((resolve) => {
    // The server's own certificate is of no interest to this caller, who has none to show.
    const socket = connect({ host, port: Number(port), rejectUnauthorized: false }, () => {
      socket.write('GET /orders/42 HTTP/1.1\r\nHost: orders\r\n\r\n');
    });
    socket.on('data', (data) => resolve(`answered: ${data.toString('latin1', 0, 12)}`));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('close', () => resolve('closed'));
  });
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

function expect(condition: boolean, what: string, seen: object): asserts condition {
  if (!condition) throw new Error(`expected ${what}, saw ${JSON.stringify(seen)}`);
}
