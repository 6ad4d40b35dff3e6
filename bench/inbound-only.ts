/**
 * The inbound proxy alone, as the benchmark measures it: the sidecar's own code for connections, decisions and audit, with an identity
 * from files instead of a broker.
 *
 * Usage: inbound-only.ts --folder FOLDER --listen ADDRESS --app ADDRESS --policies FILE --audit FILE [--fingerprint MODE] [--h2c] [--reuse-port],
 * where FOLDER holds server.id, server.key, server.pem, root.pem and the two files. With `none` for the audit's nothing is recorded.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../lib/adapter/clock.ts';
import { untilStopped } from '../lib/adapter/lifecycle.ts';
import { createLog } from '../lib/adapter/log.ts';
import { createMetrics } from '../lib/adapter/metrics.ts';
import { compilePolicies, parsePolicies } from '../lib/policy/index.ts';
import { parseAddress } from '../sidecar/address.ts';
import { openAudit } from '../sidecar/audit/index.ts';
import { createDecider, type DecisionLog } from '../sidecar/decide.ts';
import { proofsFor } from '../sidecar/fingerprint/index.ts';
import { createCredentials } from '../sidecar/identity/credentials.ts';
import { createInbound } from '../sidecar/inbound/index.ts';
import { NO_SCREENS } from '../sidecar/inbound/screens.ts';
import { settleMemory } from '../sidecar/memory.ts';
import { warmUp } from '../sidecar/warm-up.ts';
import { fingerprintOf } from './fingerprint.ts';
import { identityFrom } from './identity.ts';

const text = { type: 'string', default: '' } as const;
const flag = { type: 'boolean', default: false } as const;
const { values } = parseArgs({
  options: {
    folder: text,
    listen: text,
    app: text,
    policies: text,
    audit: text,
    fingerprint: text,
    h2c: flag,
    'reuse-port': flag,
  },
});
const { folder } = values;
const svid = identityFrom(folder, 'server');
const log = createLog({ level: 'info' });
const metrics = createMetrics();
const credentials = createCredentials();
const fingerprint = fingerprintOf(values.fingerprint);
await warmUp(svid, { fingerprint });
using _memory = await settleMemory();
credentials.publish(svid);
const policies = readFileSync(join(folder, values.policies), 'utf8');
const current = compilePolicies(parsePolicies([{ file: values.policies, text: policies }]), svid.id);
await using stack = new AsyncDisposableStack();
const unrecorded: DecisionLog = { accepting: true, record() {} };
const audit =
  values.audit === 'none'
    ? unrecorded
    : stack.use(
        await openAudit({
          target: join(folder, values.audit),
          credentials,
          clock: systemClock,
          log,
          metrics,
        }),
      );
using decider = createDecider({ policy: { current }, audit, clock: systemClock, metrics });
const listen = {
  ...parseAddress(values.listen)!,
  ...(values['reuse-port'] ? { shared: true as const } : {}),
};
await using inbound = await createInbound({
  listen,
  app: { ...parseAddress(values.app)!, ...(values.h2c ? { h2c: true } : {}) },
  trustDomain: svid.id.trustDomain,
  credentials,
  decider,
  clock: systemClock,
  log,
  metrics,
  screens: { ...NO_SCREENS, proofs: proofsFor(fingerprint, metrics) },
});
const stopped = untilStopped();
await new Promise((resolve) => stopped.addEventListener('abort', resolve));
await inbound.close({ deadlineMs: 1_000 });
