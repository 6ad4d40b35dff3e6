import { setTimeout as wait } from 'node:timers/promises';
import type { Service } from '../service.ts';
import type { World } from '../world.ts';
import { ask, expect, type Shown } from './shown.ts';

type Counts = { readonly allowed: number; readonly refused: number };

const WOULD_DENY = /^signet_decisions_total\{effect="would_deny"\} (\d+)$/m;
const PATIENCE_MS = 5_000;

/** `orders` believes the tokens of one issuer, and shows an invoice to users whose token has the scope for it. */
export async function endUser(world: World): Promise<Shown<Counts>> {
  const path = '/orders/42/invoice';
  const as = (token: string) => ask(world.web, 'GET', path, { authorization: `Bearer ${token}` });
  const allowed = await as(world.issuer.token('alice', 'orders:read invoices:read'));
  expect(allowed.status === 200, 'the user with the scope to be served', allowed);
  const without = await as(world.issuer.token('bob', 'orders:read'));
  expect(without.status === 403, 'the user without the scope to be refused', without);
  const nobody = await ask(world.web, 'GET', path);
  expect(nobody.status === 403, 'a request of no user to be refused', nobody);
  const forged = await as(`${world.issuer.token('alice', 'invoices:read').slice(0, -4)}AAAA`);
  expect(forged.status === 401, 'a token with another signature to be refused', forged);
  return {
    title: 'end user',
    facts: `GET ${path} by web for alice, whose token has the scope invoices:read: 200; for bob without it: 403; without a token: 403; with a forged one: 401 ${codeOf(forged.body)}`,
    found: { allowed: 1, refused: 3 },
  };
}

/** A rule in dry-run changes nothing, and is counted where it would have. */
export async function dryRun(world: World): Promise<Shown<{ would_deny: number }>> {
  const before = await wouldDeny(world.orders);
  const answer = await ask(world.web, 'GET', '/orders/13');
  expect(answer.status === 200, 'the request that a rule in dry-run would deny', answer);
  const end = performance.now() + PATIENCE_MS;
  let counted = 0;
  while ((counted = (await wouldDeny(world.orders)) - before) < 1 && performance.now() < end) await wait(100);
  expect(counted === 1, 'what would have been denied to be counted', { counted });
  return {
    title: 'dry-run',
    facts: `GET /orders/13 by web: 200, though orders-thirteen would deny it: it is in dry-run, and counted (${counted})`,
    found: { would_deny: counted },
  };
}

async function wouldDeny({ admin }: Service): Promise<number> {
  const metrics = await (await fetch(`http://${admin}/metrics`)).text();
  return Number(WOULD_DENY.exec(metrics)?.[1] ?? 0);
}

function codeOf(body: string): string {
  return (JSON.parse(body) as { code: string }).code;
}
