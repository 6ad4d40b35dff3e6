/**
 * The outbound proxy alone, as the benchmark measures it before an inbound one: the sidecar's own code, with an identity from files
 * instead of a broker.
 *
 * Usage: outbound-only.ts --folder FOLDER --listen ADDRESS --upstream ADDRESS [--fingerprint MODE], where FOLDER holds client.id, client.key, client.pem,
 * root.pem and server.id: who must answer at the upstream, whose name is `orders`.
 */
import { parseArgs } from 'node:util';
import { systemClock } from '../lib/adapter/clock.ts';
import { untilStopped } from '../lib/adapter/lifecycle.ts';
import { createLog } from '../lib/adapter/log.ts';
import { createMetrics } from '../lib/adapter/metrics.ts';
import { parseAddress } from '../sidecar/address.ts';
import { proverFor } from '../sidecar/fingerprint/index.ts';
import { createCredentials } from '../sidecar/identity/credentials.ts';
import { settleMemory } from '../sidecar/memory.ts';
import { createOutbound } from '../sidecar/outbound/index.ts';
import { warmUp } from '../sidecar/warm-up.ts';
import { fingerprintOf } from './fingerprint.ts';
import { identityFrom } from './identity.ts';

const text = { type: 'string', default: '' } as const;
const { values } = parseArgs({ options: { folder: text, listen: text, upstream: text, fingerprint: text } });
const svid = identityFrom(values.folder, 'client');
const { id: server } = identityFrom(values.folder, 'server');
const log = createLog({ level: 'info' });
const credentials = createCredentials();
const fingerprint = fingerprintOf(values.fingerprint);
await warmUp(svid, { fingerprint });
using _memory = await settleMemory();
credentials.publish(svid);
await using outbound = await createOutbound({
  listen: parseAddress(values.listen)!,
  upstreams: [{ name: 'orders', addresses: [parseAddress(values.upstream)!], ids: [server] }],
  credentials,
  clock: systemClock,
  log,
  metrics: createMetrics(),
  prover: proverFor(fingerprint, systemClock),
});
const stopped = untilStopped();
await new Promise((resolve) => stopped.addEventListener('abort', resolve));
await outbound.close({ deadlineMs: 1_000 });
