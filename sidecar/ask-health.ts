import { type Asked, healthCommand } from '../lib/adapter/ask-readiness.ts';
import { type Environment, readSettings } from '../lib/adapter/settings.ts';
import { SETTINGS } from './config/settings.ts';
import { parseAdmin, parseHealth, SettingError } from './config/values.ts';

/** `signet sidecar health`: asks the sidecar of this environment by SIGNET_HEALTH, or else by SIGNET_ADMIN. @returns the exit status */
export function askHealth(environment: Environment): Promise<number> {
  return healthCommand('sidecar', whomToAsk(environment));
}

function whomToAsk(environment: Environment): Asked | string {
  const settings = readSettings(SETTINGS, environment);
  const setting = settings.SIGNET_HEALTH === '' ? 'SIGNET_ADMIN' : 'SIGNET_HEALTH';
  try {
    const at = (setting === 'SIGNET_ADMIN' ? parseAdmin : parseHealth)(settings[setting]);
    if ('port' in at && at.port === 0)
      return `${setting} has no fixed port: set SIGNET_HEALTH to an address such as 127.0.0.1:15021`;
    return { setting, ...at };
  } catch (error) {
    if (error instanceof SettingError) return `${setting} ${error.message}`;
    throw error;
  }
}
