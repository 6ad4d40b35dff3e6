import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { World } from '../world.ts';
import type { Judged } from './protocols.ts';
import { expect, type Shown } from './shown.ts';

type Found = {
  readonly records: number;
  readonly verified: boolean;
  readonly tamper_found: boolean;
  /** How many of the decisions asked for are in it. */
  readonly decisions: number;
};

/** The audit of `orders` is verified, holds `decisions`, and a copy with one byte changed is found out. */
export async function audit(world: World, decisions: readonly Judged[]): Promise<Shown<Found>> {
  const bundle = join(world.dir, 'bundle.json');
  const fetched = await world.cli(['bundle', 'fetch', '--out', bundle]);
  expect(fetched.code === 0, 'the bundle', fetched);
  const copy = join(world.dir, 'orders-audit-copy.jsonl');
  await copyFile(world.orders.audit, copy);
  const good = await world.cli(['audit', 'verify', copy, '--bundle', bundle, '--json']);
  expect(good.code === 0, 'the audit to verify', good);
  const { records } = JSON.parse(good.stdout) as { records: number };
  const bytes = await readFile(copy);
  const missing = decisions.filter((decision) => !holds(bytes, decision, world.web.id));
  expect(missing.length === 0, 'each decision in the audit', missing);
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
    facts: `${records} records verified, among them the ${decisions.length} decisions on HTTP/2, gRPC, WebSocket and TCP; in a copy with one byte changed, ${finding.message} (line ${finding.line})`,
    found: { records, verified: true, tamper_found: true, decisions: decisions.length },
  };
}

/** Whether a decision on a call by `caller` is in the audit: few of its many lines are looked into. */
function holds(bytes: Buffer, { effect, method, path }: Judged, caller: string): boolean {
  const sought = JSON.stringify(path);
  for (let at = bytes.indexOf(sought); at !== -1; at = bytes.indexOf(sought, at + 1)) {
    const line = bytes.subarray(bytes.lastIndexOf('\n', at) + 1, bytes.indexOf('\n', at));
    const record = JSON.parse(line.toString());
    if (
      record.type === 'decision' &&
      record.effect === effect &&
      record.method === method &&
      record.path === path &&
      record.caller === caller
    )
      return true;
  }
  return false;
}
