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

/**
 * One JSON object a line on stderr: `time`, `level`, `event`, then the caller's fields, which cannot take the place of those three.
 * Errors are told by name, code, message and the errors that caused them; nothing else that hangs on one is written. No field makes
 * a call throw: what cannot be written is told as `unwritable`.
 */
export function createLog(options: LogOptions, base: LogFields = {}): Log {
  const { level, now = () => new Date(), write = (line) => process.stderr.write(line) } = options;
  const least = LOG_LEVELS.indexOf(level);
  const at = (name: LogLevel) => (event: string, fields?: LogFields) => {
    if (LOG_LEVELS.indexOf(name) < least) return;
    const head = { time: now().toISOString(), level: name, event };
    write(`${lineOf(head, base, fields)}\n`);
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

/** Fields as their line has them: nothing in them but what JSON knows. */
export function plainFields(fields: LogFields): LogFields {
  return JSON.parse(lineOf({}, {}, fields)) as LogFields;
}

function lineOf(head: LogFields, base: LogFields, fields: LogFields = {}): string {
  try {
    return JSON.stringify({ ...head, ...base, ...fields, ...head }, plain);
  } catch (error) {
    return JSON.stringify({ ...head, unwritable: error instanceof Error ? error.name : 'thrown' });
  }
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (!(value instanceof Error)) return value;
  const code = 'code' in value ? value.code : undefined;
  const cause = value.cause instanceof Error ? value.cause : undefined;
  return { name: value.name, code, message: value.message, cause };
}
