/** Severity, rising. `alarm` is for what a human must look at now: a theft, a clone, a lock-out. It is always written. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'alarm'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  alarm(event: string, fields?: LogFields): void;
  /** A log that adds these fields to every line. */
  child(fields: LogFields): Log;
}

export type LogOptions = {
  readonly level: LogLevel;
  readonly now?: () => Date;
  readonly write?: (line: string) => void;
};

/** One JSON object a line on stderr: `time`, `level`, `event`, then the caller's fields. Errors are told by code and message only. */
export function createLog(options: LogOptions, base: LogFields = {}): Log {
  const { level, now = () => new Date(), write = (line) => process.stderr.write(line) } = options;
  const least = LOG_LEVELS.indexOf(level);
  const at = (name: LogLevel) => (event: string, fields?: LogFields) => {
    if (LOG_LEVELS.indexOf(name) < least) return;
    write(
      `${JSON.stringify({ time: now().toISOString(), level: name, event, ...base, ...fields }, plain)}\n`,
    );
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    alarm: at('alarm'),
    child: (fields) => createLog(options, { ...base, ...fields }),
  };
}

function plain(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const code = 'code' in value ? value.code : undefined;
  return { name: value.name, code, message: value.message, cause: value.cause };
}
