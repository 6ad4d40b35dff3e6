import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Service } from '../service.ts';
import { startTraffic } from '../traffic.ts';
import { vaultToken } from '../vault-server.ts';
import type { World } from '../world.ts';
import { ask, expect, type Shown } from './shown.ts';

const PATH = '/orders/66';
const LOOK_MS = 20;
const PATIENCE_MS = 10_000;

type Live = { readonly published_ms: number; readonly lost: number };

/** An author publishes one more rule while requests run: it is enforced at once, none of the others fails, and it is taken back. */
export async function livePolicy(world: World): Promise<Shown<Live>> {
  const proposed = await withOneMore(world);
  const before = await ask(world.web, 'GET', PATH);
  expect(before.status === 200, 'the request before the change', before);
  const traffic = startTraffic(world.web.appPort, '/orders/7', 4);
  const version = await versionOf(world.orders);
  await world.publish([proposed, world.web.policies]);
  const at = performance.now();
  while ((await versionOf(world.orders)) === version) {
    expect(performance.now() - at < PATIENCE_MS, 'the sidecar to have the policies', { version });
    await wait(LOOK_MS);
  }
  const ms = Math.round(performance.now() - at);
  const after = await ask(world.web, 'GET', PATH);
  expect(after.status === 403, 'the request after the change', after);
  const { requests, failures } = await traffic.stop();
  expect(failures.length === 0, 'no other request to fail', { failures: failures.slice(0, 3) });
  const author = { VAULT_TOKEN: await vaultToken(world.vault, 'signet-author') };
  const back = await world.cli(['policy', 'rollback'], author);
  expect(back.code === 0, 'the policies to be taken back', back);
  const rule = (JSON.parse(after.body) as { rule: string }).rule;
  return {
    title: 'live policy',
    facts: `GET ${PATH} by web: 200; an author publishes ${rule}, which orders has within ${ms} ms: 403; ${requests} other requests meanwhile: 0 failed; rolled back`,
    found: { published_ms: ms, lost: failures.length },
  };
}

/** What the proposed rule would have refused of what was asked so far. */
export async function policyDiff(world: World): Promise<Shown<{ would_deny: number }>> {
  const proposed = await withOneMore(world);
  const diff = await world.cli([
    ...['policy', 'diff', '--recorded', world.orders.audit, '--current', world.orders.policies],
    ...['--proposed', proposed, '--json'],
  ]);
  const report = JSON.parse(diff.stdout) as { changes: { count: number; method: string; route: string }[] };
  const [change] = report.changes;
  expect(diff.code === 1 && change !== undefined, 'the change to be found', diff);
  return {
    title: 'policy diff',
    facts: `of the requests recorded at orders, orders-sixty-six would deny ${change.count}: ${change.method} ${change.route}`,
    found: { would_deny: change.count },
  };
}

/** The policies of `orders` with a rule that denies `PATH`, in a file of their own. */
async function withOneMore({ dir, orders }: World): Promise<string> {
  const documents = JSON.parse(await readFile(orders.policies, 'utf8')) as object[];
  const rule = {
    ...{ name: 'orders-sixty-six', level: 'business-unit', target: orders.id, effect: 'deny' },
    ...{ mode: 'enforce', when: { path: { is: PATH } } },
  };
  const file = join(dir, 'orders-proposed.json');
  await writeFile(file, JSON.stringify([...documents, rule]));
  return file;
}

async function versionOf({ admin }: Service): Promise<number | null> {
  const status = (await (await fetch(`http://${admin}/status`)).json()) as {
    policy: { version: number | null };
  };
  return status.policy.version;
}
