import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { systemClock } from '../lib/adapter/clock.ts';
import { untilStopped } from '../lib/adapter/lifecycle.ts';
import { createLog } from '../lib/adapter/log.ts';
import { createMetrics } from '../lib/adapter/metrics.ts';
import { ConfigError, unknownSettings } from '../lib/adapter/settings.ts';
import { runBroker } from './broker.ts';
import { type Config, loadConfig } from './config.ts';
import { SETTINGS, settingsHelp } from './settings.ts';
import { createTelemetry } from './telemetry.ts';

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(settingsHelp());
    return 0;
  }
  if (args[0] === 'health' && args.length === 1)
    return (await import('./ask-health.ts')).askHealth(process.env);
  if (args.length > 0) {
    process.stderr.write('signet broker: takes no arguments but health and --help\n');
    return 2;
  }
  let config: Config;
  try {
    config = loadConfig(process.env, (path) => readFileSync(path, 'utf8'));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const defect of error.defects) process.stderr.write(`signet broker: ${defect}\n`);
    return 2;
  }
  const metrics = createMetrics();
  await using telemetry = await createTelemetry({
    ...{ otlp: config.otlp, trustDomain: config.trustDomain, clock: systemClock, metrics },
    ...{ log: createLog({ level: config.logLevel }), logLevel: config.logLevel },
  });
  const { log } = telemetry;
  for (const name of unknownSettings(SETTINGS, process.env)) log.warn('unknown_setting', { name });
  try {
    await runBroker(config, {
      log,
      metrics,
      clock: systemClock,
      random: Math.random,
      newCorrelationId: randomUUID,
      stopped: untilStopped(),
    });
    return 0;
  } catch (error) {
    log.error('failed', { reason: error });
    return 1;
  }
}
