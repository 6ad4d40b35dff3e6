import { type Asked, healthCommand } from '../lib/adapter/ask-readiness.ts';
import { type Environment, readSettings } from '../lib/adapter/settings.ts';
import { parseListen, Refusal } from './config-values.ts';
import { SETTINGS } from './settings.ts';

/** `signet broker health`: asks the broker of this environment by SIGNET_ADMIN. @returns the exit status */
export function askHealth(environment: Environment): Promise<number> {
  return healthCommand('broker', whomToAsk(environment));
}

function whomToAsk(environment: Environment): Asked | string {
  try {
    const at = parseListen(readSettings(SETTINGS, environment).SIGNET_ADMIN, true);
    if (at.port === 0) return 'SIGNET_ADMIN has no fixed port: set it to an address such as 127.0.0.1:8556';
    return { setting: 'SIGNET_ADMIN', ...at };
  } catch (error) {
    if (error instanceof Refusal) return `SIGNET_ADMIN ${error.message}`;
    throw error;
  }
}
