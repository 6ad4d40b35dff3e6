import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { untilStopped } from '../lib/adapter/lifecycle.ts';
import { createLog, type Log } from '../lib/adapter/log.ts';
import { createMetrics } from '../lib/adapter/metrics.ts';
import { ConfigError, unknownSettings } from '../lib/adapter/settings.ts';
import { startAdmin } from './admin.ts';
import { type Config, loadConfig } from './config/index.ts';
import { SETTINGS, settingsHelp } from './config/settings.ts';
import { type Hardening, harden } from './harden.ts';
import { createIdentity } from './identity/index.ts';
import { machineClock } from './identity/server-clock.ts';
import { readLine } from './identity/stdin.ts';
import { watchReadiness } from './readiness.ts';
import { type Serving, startServing } from './serving.ts';
import { statusOf } from './status.ts';

const FINE = 0;
const FAILED = 1;
const WRONG_USAGE = 2;

async function main(argv: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  if (argv[0] === '--help' || argv[0] === '-h') {
    process.stdout.write(settingsHelp());
    return FINE;
  }
  // loaded for this alone: the running sidecar starts no other program
  if (argv[0] === 'iptables') return (await import('./redirect/command.ts')).redirectCommand(argv.slice(1));
  if (argv.length > 0)
    return refuse('signet sidecar takes no arguments: its configuration is the environment');
  let config: Config;
  try {
    config = loadConfig(environment, (path) => readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof ConfigError) return refuse(...error.defects);
    throw error;
  }
  const log = createLog({ level: config.logLevel });
  tellRuntimeFaults(log);
  const unknown = unknownSettings(SETTINGS, environment);
  if (unknown.length > 0) log.warn('unknown_variables', { variables: unknown });
  const hardening = await harden(log);
  try {
    await run(config, log, hardening);
    return FINE;
  } catch (error) {
    log.error('failed', { error });
    return FAILED;
  }
}

/** Lives from the first listener to the last drained request. */
async function run(config: Config, log: Log, hardening: Hardening): Promise<void> {
  const stop = untilStopped();
  const metrics = createMetrics();
  let serving: Serving | null = null;
  const identity = createIdentity({
    config,
    log,
    metrics,
    readStdin: () => readLine(process.stdin, stop),
    // Serving begins before the first evidence is shown, so no alarm comes before the audit is open.
    onTheft: ({ code, spiffeId, correlationId }) =>
      serving?.record({ type: 'alarm', code, spiffe_id: spiffeId, correlation_id: correlationId }),
  });
  const { credentials, rotator } = identity;
  process.on('SIGHUP', () => {
    log.info('reload');
    void rotator.rotate();
    void serving?.reloadPolicy();
  });
  const missing = () => [
    ...(stop.aborted ? ['stopping'] : []),
    ...(credentials.current === null ? ['svid'] : []),
    ...(serving?.missing() ?? ['listeners']),
  ];

  // First in, last out: whoever watches us is told that we are not ready while we drain.
  await using admin = await startAdmin({
    listen: config.admin,
    missing,
    status: () => statusOf(identity, { serving: serving?.status ?? null, hardening, missing: missing() }),
    metrics: () => metrics.render(),
    rotate: () => rotator.rotate(),
  });
  log.info('listening', { what: 'admin', address: admin.address });
  using _readiness = watchReadiness(credentials, missing, log);
  const over = new AbortController();
  let rotating = Promise.resolve();
  try {
    await using started = await startServing({ config, credentials, clock: machineClock, log, metrics });
    serving = started;
    rotating = rotator.run(over.signal);
    if (!stop.aborted) await once(stop, 'abort');
    log.info('stopping', { reason: stop.reason });
  } finally {
    // Only now: what is drained is served with a valid SVID to its end.
    over.abort();
    await rotating;
  }
  log.info('stopped');
}

function refuse(...messages: readonly string[]): number {
  for (const message of messages) process.stderr.write(`signet sidecar: ${message}\n`);
  process.stderr.write('signet sidecar: see signet sidecar --help\n');
  return WRONG_USAGE;
}

/** What Node says of itself becomes lines like all others. A fault nobody expected ends the process: its state is not known. */
function tellRuntimeFaults(log: Log): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => log.debug('runtime_warning', { name, message }));
  process.on('uncaughtException', (error) => {
    log.error('fault', { error });
    process.exit(FAILED);
  });
}

process.exitCode = await main(process.argv.slice(2), process.env);
