import { readFileSync } from 'node:fs';
import { createLog, type Log } from '../lib/adapter/log.ts';
import { openNotifier } from '../lib/adapter/notify.ts';
import { ConfigError, unknownSettings } from '../lib/adapter/settings.ts';
import { type Config, loadConfig } from './config/index.ts';
import { SETTINGS, settingsHelp } from './config/settings.ts';
import { type Hardening, harden } from './harden.ts';

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
  if (argv[0] === 'health' && argv.length === 1)
    return (await import('./ask-health.ts')).askHealth(environment);
  const worker = process.connected ? workerNumber(argv) : null;
  if (argv.length > 0 && worker === null)
    return refuse('signet sidecar takes no arguments: its configuration is the environment');
  let config: Config;
  try {
    config = loadConfig(environment, (path) => readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof ConfigError) return refuse(...error.defects);
    throw error;
  }
  const base = createLog({ level: config.logLevel });
  const log = worker === null ? base : base.child({ worker });
  tellRuntimeFaults(log);
  const unknown = unknownSettings(SETTINGS, environment);
  if (unknown.length > 0) log.warn('unknown_variables', { variables: unknown });
  const hardening = await harden(log);
  try {
    await serve(config, log, hardening, worker);
    return FINE;
  } catch (error) {
    log.error('failed', { error });
    return FAILED;
  }
}

/** Each part is loaded where it is needed: a supervisor needs nothing of what serves. */
async function serve(config: Config, log: Log, hardening: Hardening, worker: number | null): Promise<void> {
  using notifier = await openNotifier(process.env, log);
  if (worker === null && config.workers > 1) {
    const { supervise } = await import('./workers/supervisor.ts');
    await supervise(config, log, hardening, notifier);
    return;
  }
  const { run } = await import('./run.ts');
  if (worker === null) {
    const { bySignals } = await import('./by-signals.ts');
    await run(config, log, hardening, bySignals(config, log, notifier));
  } else {
    const { byChannel } = await import('./workers/channel.ts');
    await run({ ...config, worker }, log, hardening, byChannel());
  }
}

/** The supervisor starts us so, and holds the other end of the channel. */
function workerNumber([word, digits = '', ...rest]: readonly string[]): number | null {
  return word === 'worker' && /^[1-9]\d?$/.test(digits) && rest.length === 0 ? Number(digits) : null;
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
