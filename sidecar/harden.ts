import inspector from 'node:inspector';
import { openSystemCalls } from '../lib/adapter/ffi.ts';
import type { Log } from '../lib/adapter/log.ts';

/** What keeps others out of this process's memory. */
export type Hardening = {
  /** `on`, or why not. */
  readonly not_dumpable: 'on' | 'refused' | 'unavailable';
  readonly debugger: 'closed' | 'open';
};

/** Credentials that somebody may have put into the environment. */
const SECRETS = ['VAULT_TOKEN', 'SIGNET_JOIN_CODE', 'SIGNET_VAULT_SECRET_ID'];
/** What makes Node take any certificate for good. */
const WEAKENING = ['NODE_TLS_REJECT_UNAUTHORIZED'];

/**
 * Closes what Node leaves open: memory to processes of the same uid, core dumps, diagnostic reports (they hold the environment),
 * and the debugger that SIGUSR1 would start (the launcher forbids it; this is for who starts us otherwise). Says in the log what could
 * not be closed.
 */
export async function harden(log: Log): Promise<Hardening> {
  scrub(SECRETS, 'secret_in_environment', log);
  scrub(WEAKENING, 'weakening_in_environment', log);
  const { report } = process;
  report.reportOnFatalError = false;
  report.reportOnSignal = false;
  report.reportOnUncaughtException = false;
  report.excludeEnv = true;
  process.on('SIGUSR1', () => log.warn('debugger_refused'));

  const calls = await openSystemCalls();
  const hardening: Hardening = {
    not_dumpable: calls === undefined ? 'unavailable' : calls.forbidDumps() ? 'on' : 'refused',
    debugger: inspector.url() === undefined ? 'closed' : 'open',
  };
  const sound = hardening.not_dumpable === 'on' && hardening.debugger === 'closed';
  log[sound ? 'info' : 'warn']('hardening', hardening);
  return hardening;
}

/** Takes variables away before anything can read them, and tells by name. */
function scrub(names: readonly string[], event: string, log: Log): void {
  for (const name of names) {
    if (process.env[name] === undefined) continue;
    delete process.env[name];
    log.warn(event, { variable: name, message: 'not used: remove it' });
  }
}
