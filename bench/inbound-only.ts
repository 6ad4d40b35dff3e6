/**
 * The inbound proxy alone, as the benchmark measures it: the sidecar's own code for connections, decisions and audit, with an identity
 * from files instead of a broker.
 *
 * Usage: inbound-only.ts FOLDER LISTEN APP, where FOLDER holds server.key, server.pem, root.pem and policies.json; the audit goes there too.
 */
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../lib/adapter/clock.ts';
import { untilStopped } from '../lib/adapter/lifecycle.ts';
import { createLog } from '../lib/adapter/log.ts';
import { createMetrics } from '../lib/adapter/metrics.ts';
import { compilePolicies, parsePolicies } from '../lib/policy/index.ts';
import { parseSpiffeId } from '../lib/spiffe/index.ts';
import { parseAddress } from '../sidecar/address.ts';
import { openAudit } from '../sidecar/audit/index.ts';
import { createDecider } from '../sidecar/decide.ts';
import { createCredentials } from '../sidecar/identity/credentials.ts';
import { createInbound } from '../sidecar/inbound/index.ts';

const [folder = '', listen = '', app = ''] = process.argv.slice(2);
const read = (name: string) => readFileSync(join(folder, name), 'utf8');
const id = parseSpiffeId(read('server.id').trim());
const log = createLog({ level: 'info' });
const metrics = createMetrics();
const credentials = createCredentials();
credentials.publish({
  id,
  serial: '00',
  key: createPrivateKey(read('server.key')),
  certChainPem: read('server.pem'),
  bundlePem: read('root.pem'),
  issuedAt: new Date(),
  notAfter: new Date(Date.now() + 24 * 3_600_000),
});
const current = compilePolicies(parsePolicies([{ file: 'policies.json', text: read('policies.json') }]), id);
await using audit = await openAudit({
  target: join(folder, 'audit.jsonl'),
  credentials,
  clock: systemClock,
  log,
  metrics,
});
using decider = createDecider({ policy: { current }, audit, clock: systemClock, metrics });
await using inbound = await createInbound({
  listen: parseAddress(listen)!,
  app: parseAddress(app)!,
  trustDomain: id.trustDomain,
  credentials,
  decider,
  clock: systemClock,
  log,
  metrics,
});
const stopped = untilStopped();
await new Promise((resolve) => stopped.addEventListener('abort', resolve));
await inbound.close({ deadlineMs: 1_000 });
