// Writes records as fast as they are taken, into files of a few hundred, until it is killed. Usage: rotating-writer.ts FILE
import { setImmediate } from 'node:timers/promises';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { openAudit } from '../../../sidecar/audit/index.ts';
import { authority, clock, credentialsFor, ORDERS, quiet } from '../support.ts';

const credentials = await credentialsFor(await authority(), ORDERS);
const rotation = { bytes: 20_000, ageMs: null, keep: 50 };
const target = process.argv[2] ?? '';
const audit = await openAudit({ target, rotation, credentials, clock, log: quiet, metrics: createMetrics() });
process.stdout.write('ready\n');
for (let i = 0; ; i++) {
  if (audit.accepting) audit.record({ type: 'decision', path: `/orders/${i}` }, new Date());
  await setImmediate();
}
