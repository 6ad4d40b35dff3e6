// An outbound proxy with one upstream of two addresses, for dark.test.ts to run in a network namespace of its own. It tells the ports of
// the addresses on standard output, then answers each line `protocol times` of its input: it asks so often at once, and says how each
// went.
import { createInterface } from 'node:readline';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { createOutbound } from '../../../sidecar/outbound/index.ts';
import { answering, world } from '../../sidecar/inbound/world.ts';
import { upstream } from '../../sidecar/outbound/world.ts';
import { portOf } from '../../sidecar/sockets.ts';
import { authority, clock, credentialsFor, quiet, WEB } from '../../sidecar/support.ts';
import { ASKERS } from './asking.ts';

const ca = await authority();
const ports: number[] = [];
for (let i = 0; i < 2; i++) {
  const answer = answering();
  // long enough to be cut off in the middle of it
  const w = await world({ ca, answer: (seen) => void setTimeout(() => answer(seen), 100) });
  ports.push(portOf(w.inbound.address));
}
const metrics = createMetrics();
const outbound = await createOutbound({
  listen: { host: '127.0.0.1', port: 0 },
  upstreams: [upstream('orders', ports)],
  credentials: await credentialsFor(ca, WEB),
  clock,
  log: quiet,
  metrics,
  limits: { connectMs: 500, responseMs: 1_000, pingMs: 500 },
});
const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);
say(ports);

for await (const line of createInterface({ input: process.stdin })) {
  const [protocol = '', times = ''] = line.split(' ');
  const start = performance.now();
  const heard = await Promise.all(
    Array.from({ length: Number(times) }, async () => {
      const { status, body } = await ASKERS[protocol]!(outbound.address);
      return status === 200 ? '200' : `${status} ${JSON.parse(body || '{}').code}`;
    }),
  );
  const ejections = /signet_outbound_ejections_total\{.*\} \d+/g;
  say({ heard, ms: performance.now() - start, ejected: metrics.render().match(ejections) ?? [] });
}
process.exit();
